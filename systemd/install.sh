#!/bin/sh
# Installs bwc-dock on this machine, upgrades it in place, or removes it. Called by make install and make uninstall.
#
#   systemd/install.sh install|uninstall
#
# PREFIX   where the program lives, a virtual environment of its own [/opt/bwc]
# PYTHON   the Python it is made with; 3.11 or newer, and readable to all [the first python3 that is]
# DESTDIR  put everything below this folder, and touch neither users nor services: for making packages
#
# An administrator's file is never overwritten: when a newer example differs from the one it was made from, it is put
# beside it as FILE.new. Units, users and rules go below /usr/local/lib, so that everything in /etc is the administrator's.
set -eu
umask 022

source=$(cd "$(dirname "$0")/.." && pwd)
PREFIX=${PREFIX:-/opt/bwc} DESTDIR=${DESTDIR:-}
home=$DESTDIR$PREFIX lib=$DESTDIR/usr/local/lib link=$DESTDIR/usr/local/bin/bwc
share=$DESTDIR/usr/local/share made=$home/lib/bwc/manual
units="bwc-dock.service bwc-policy.service bwc-board.service"

fail() { echo "install.sh: $1" >&2; echo "hint: $2" >&2; exit 1; }
running() { [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; }

find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3; do
        path=$(command -v "$candidate") || continue
        "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue
        case $("$path" -c 'import os, sys; print(os.path.realpath(sys.executable))') in
        /root/* | /home/*) continue ;; # the services run as users of their own, and see no home
        esac
        "$path" -c 'import ensurepip' 2>/dev/null || continue
        echo "$path"
        return
    done
    fail "no usable python 3.11 or newer" "apt install python3 python3-venv, or make install PYTHON=/usr/bin/python3.12"
}

program() {
    python=$(find_python)
    echo "program: $PREFIX (with $python)"
    minor='import sys; print(sys.version_info[:2])'
    [ "$("$home/bin/python3" -c "$minor" 2>&1)" = "$("$python" -c "$minor")" ] || rm -rf "$home/bin" "$home"/lib/python3*
    "$python" -m venv "$home"
    "$home/bin/pip" install --quiet --upgrade "$source[board,man,objects,postgres]"
    if [ -n "$DESTDIR" ]; then # scripts name their interpreter by its path
        grep -lrI "^#!$home/bin/" "$home/bin" | xargs sed -i "1s|^#!$home/|#!$PREFIX/|"
    fi
    install -D -m 755 "$source/systemd/camera-mount" "$home/lib/bwc/camera-mount"
    mkdir -p "$(dirname "$link")"
    ln -sfn "$PREFIX/bin/bwc" "$link"
}

# man pages and completion; what was made is listed, so that it can be taken away again
manual() {
    remove_manual
    "$home/bin/python3" -m daemon.cli.manual "$share" bwc=daemon.cli.main:bwc bwc-sim=device_sim.cli:cli >"$made"
}

remove_manual() {
    [ ! -e "$made" ] || while read -r file; do rm -f "$share/$file"; done <"$made"
}

unit() {
    mkdir -p "$lib/systemd/system"
    sed "s|@PREFIX@|$PREFIX|g" "$source/systemd/$1" >"$lib/systemd/system/$1"
}

# example FILE FOLDER: FILE into FOLDER of /etc, unless the administrator has one there
example() {
    mine=$DESTDIR/etc/$2/${1##*/} last=$home/lib/bwc/examples/${1##*/}
    if [ ! -e "$mine" ]; then
        install -D -m 644 "$source/$1" "$mine"
        echo "example: $mine"
    elif ! cmp -s "$source/$1" "$mine" && ! cmp -s "$source/$1" "$last"; then
        install -m 644 "$source/$1" "$mine.new"
        echo "kept:    $mine is yours; the new example is $mine.new"
    fi
    install -D -m 644 "$source/$1" "$last"
}

install_all() {
    if running; then # what runs keeps no half-replaced program
        active=$(systemctl list-units --plain --no-legend --state=active,activating $units | cut -d' ' -f1)
        [ -z "$active" ] || systemctl stop $active
    fi
    program
    manual
    for name in $units bwc-camera@.service; do unit "$name"; done
    install -D -m 644 "$source/systemd/sysusers.conf" "$lib/sysusers.d/bwc.conf"
    install -D -m 644 "$source/systemd/tmpfiles.conf" "$lib/tmpfiles.d/bwc.conf"
    install -D -m 644 "$source/systemd/70-bwc-cameras.rules" "$lib/udev/rules.d/70-bwc-cameras.rules"
    for name in dock policy board trust; do example "config/$name.toml" bwc; done
    example systemd/69-bwc-bays.rules udev/rules.d
    [ -z "$DESTDIR" ] || return 0
    systemd-sysusers bwc.conf
    systemd-tmpfiles --create bwc.conf
    if running; then
        systemctl daemon-reload
        ! command -v udevadm >/dev/null || udevadm control --reload 2>/dev/null || true
        [ -z "$active" ] || systemctl start --no-block $active
    fi
    cat <<END
done. next:
  bwc setup                              asks what it needs and fills /etc/bwc in; bwc setup check says what is missing
  systemctl enable --now bwc-dock        on the dock's machine
  systemctl enable --now bwc-policy      on the policy service's
  systemctl enable --now bwc-board       where the status page is wanted: http://127.0.0.1:8460/
END
}

uninstall_all() {
    if running; then
        systemctl disable --quiet --now $units 2>/dev/null || true
    fi
    for name in $units bwc-camera@.service; do rm -f "$lib/systemd/system/$name"; done
    rm -f "$lib/sysusers.d/bwc.conf" "$lib/tmpfiles.d/bwc.conf" "$lib/udev/rules.d/70-bwc-cameras.rules"
    [ "$(readlink "$link")" != "$PREFIX/bin/bwc" ] || rm -f "$link"
    remove_manual
    if [ -e "$home/lib/bwc/camera-mount" ]; then rm -rf "$home"; fi # ours, whatever PREFIX says
    if running; then systemctl daemon-reload; fi
    echo "removed. left as they are: /etc/bwc (configuration, keys), /var/lib/bwc (evidence), and the users that own it"
}

[ -n "$DESTDIR" ] || [ "$(id -u)" = 0 ] || fail "only root can do that" "sudo make ${1:-install}"
case ${1:-} in
install) install_all ;;
uninstall) uninstall_all ;;
*) echo "usage: install.sh install|uninstall" >&2; exit 2 ;;
esac
