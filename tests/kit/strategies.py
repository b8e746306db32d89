"""Hypothesis strategies for everything that crosses a boundary: valid statements and documents of every kind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

from hypothesis import strategies as hs

from daemon.model import documents as doc
from daemon.model import statements as st
from daemon.model.disposal_report import DisposalReport, KeptBy, ReportedClip
from daemon.model.times import truncate
from tests.kit.agency import open_pem, sign_pem

# Hypothesis wants its bounds without a zone
instants = hs.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=hs.just(UTC),
).map(truncate)
ids = hs.from_regex(r"\A[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}\Z")
dispatch_ids = hs.text(hs.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=1, max_size=32)
clip_ids = hs.uuids().map(str)
digests = hs.binary(min_size=32, max_size=32).map(bytes.hex)
texts = hs.text(hs.characters(exclude_categories=["Cs"]), max_size=40)
sizes = hs.integers(0, 2**53 - 1)
counts = hs.integers(0, 2**31)
seconds = hs.floats(-1e9, 1e9)
long_seconds = hs.floats(0, 1e9)
because = hs.lists(hs.builds(st.Because, policy_id=ids, reason=texts), max_size=2).map(tuple)
wraps = hs.builds(
    st.WrappedKey,
    recipient=digests,
    suite=hs.just("P256-SHA256-AES256GCM"),
    ciphertext=hs.from_regex(r"\A[A-Za-z0-9+/]{20,40}={0,2}\Z"),
)


def literal(values: Any) -> hs.SearchStrategy[Any]:
    return hs.sampled_from(get_args(values))


def several(of: hs.SearchStrategy[Any], least: int = 0) -> hs.SearchStrategy[Any]:
    return hs.lists(of, min_size=least, max_size=3, unique=True).map(tuple)


def _with(kind: type[Any], given: hs.SearchStrategy[dict[str, Any]], **fields: Any) -> hs.SearchStrategy[Any]:
    """The model from plain fields, and some that depend on each other."""
    return hs.tuples(hs.fixed_dictionaries(fields), given).map(lambda both: kind(**both[0], **both[1]))


_ordered = hs.lists(instants, min_size=3, max_size=3).map(sorted)
_one_subject = hs.one_of(
    hs.fixed_dictionaries({"clip_id": clip_ids}), hs.fixed_dictionaries({"incident_id": dispatch_ids})
)
_recorded = hs.one_of(
    hs.just({"form": "unrecorded"}),
    hs.fixed_dictionaries({"form": hs.sampled_from(["audio", "video"]), "recording_sha256": digests}),
)
_parties = hs.one_of(
    hs.just({"force": "none", "in_custody_death": False}),
    hs.fixed_dictionaries(
        {
            "force": literal(st.Force),
            "in_custody_death": hs.booleans(),
            "involved": several(ids.map("in-".__add__), 1),
            "witnesses": several(ids.map("wi-".__add__)),
        }
    ),
)
_assignment = hs.builds(
    st.TaggedAssignment,
    incident_id=dispatch_ids,
    incident_type=texts,
    unit_id=dispatch_ids,
    dispatched_at=instants,
    cleared_at=hs.none() | instants,
    verdict=literal(st.Verdict),
    triggered_after_seconds=hs.none() | seconds,
    covered_seconds=long_seconds,
    uncovered_seconds=long_seconds,
    matched_by=hs.sampled_from(["officer", "unit"]),
)
_activation = hs.builds(
    st.Activation,
    verdict=hs.sampled_from(["on_time", "absent", "ambiguous", "undispatched"]),
    revision=hs.integers(1, 99),
    assignments=hs.lists(_assignment, max_size=2).map(tuple),
)
_viewing = hs.one_of(
    several(hs.sampled_from([p for p in get_args(st.Purpose) if p not in {"court", "disclosure"}]), 1),
    several(hs.sampled_from(["court", "disclosure"]), 1),
)
_clip_at_dock = {"clip_id": clip_ids, "dock_id": ids}

_cursors = hs.none() | hs.from_regex(r"[!-~]{1,8}( [!-~]{1,8})?", fullmatch=True)
_asked = hs.one_of(
    hs.builds(
        st.AskedClips,
        what=hs.just("clips"),
        since=instants,
        until=instants,
        only=hs.sampled_from(["all", "unclassified"]),
        after=_cursors,
    ),
    hs.builds(st.AskedWords, what=hs.just("words"), clip_id=clip_ids, after=_cursors),
    hs.builds(st.AskedWords, what=hs.just("words"), incident_id=dispatch_ids, after=_cursors),
    hs.builds(
        st.AskedDecision,
        what=hs.just("decision"),
        clip_id=clip_ids,
        person_id=ids,
        purpose=literal(st.Purpose),
        suppose=hs.lists(
            hs.builds(
                st.Supposed,
                by=ids,
                kind=literal(st.DecidingKind),
                statement=hs.just({"a": 1}),
            ),
            max_size=2,
        ).map(tuple),
    ),
    hs.builds(st.AskedReport, what=hs.just("disposal_report"), sha256=hs.none() | digests, after=_cursors),
)

BY_KIND: dict[str, hs.SearchStrategy[Any]] = {
    "query": hs.builds(st.Query, query_id=ids, question=_asked, asked_at=instants),
    "trust": hs.builds(
        st.TrustStatement,
        version=hs.integers(1, 10**6),
        cameras=hs.dictionaries(ids, ids.map(sign_pem), max_size=2),
        docks=hs.dictionaries(ids, ids.map(sign_pem), max_size=2),
        services=hs.builds(
            st.Services,
            policy=hs.just({"sign": sign_pem("policy"), "open": open_pem("policy")}),
            recovery=hs.sampled_from([None, {"open": open_pem("recovery")}]),
        ),
        people=hs.dictionaries(
            ids,
            hs.builds(
                st.PersonKeys,
                name=texts,
                roles=several(literal(st.Role)),
                sign=ids.map(sign_pem),
                open=hs.sampled_from([None, open_pem("somebody")]),
            ),
            max_size=2,
        ),
        revoked=hs.lists(
            hs.tuples(digests, instants).map(lambda both: {"keyid": both[0], "from": both[1]}), max_size=2
        ).map(tuple),
    ),
    "capture": _with(
        st.Capture,
        _ordered.map(lambda t: {"started_at": t[0], "triggered_at": t[1], "stopped_at": t[2]}),
        clip_id=ids,
        camera_serial=ids,
        officer_id=ids,
        size_bytes=sizes,
        media_type=hs.just("video/mp4"),
        sha256=digests,
        pre_event_seconds=long_seconds,
        trigger_on=literal(st.Trigger),
        trigger_off=literal(st.Trigger),
        markers=hs.lists(hs.builds(st.Marker, at=instants, label=texts), max_size=2).map(tuple),
    ),
    "seal": hs.builds(
        st.Seal,
        **_clip_at_dock,
        claimed_clip_id=hs.none() | texts,
        bay=ids,
        capture_sha256=hs.none() | digests,
        clip_sha256=digests,
        sealed_sha256=digests,
        sealed_bytes=sizes,
        format=hs.just("AES256_GCM_HKDF_1MB"),
        wrapped_keys=hs.lists(wraps, min_size=1, max_size=2).map(tuple),
        clock_skew_seconds=seconds,
        ingested_at=instants,
        integrity=literal(st.Integrity),
    ),
    "tag": hs.builds(
        st.Tag,
        **_clip_at_dock,
        revision=hs.integers(1, 99),
        dispatch_as_of=hs.none() | instants,
        activation=_activation,
        documents=several(digests),
    ),
    "receipt": hs.builds(
        st.Receipt,
        **_clip_at_dock,
        camera_serial=ids,
        clip_sha256=digests,
        sealed_sha256=digests,
        sequence=counts,
        erase_after=instants,
    ),
    "classification": _with(
        st.Classification,
        _parties,
        incident_id=dispatch_ids,
        clip_ids=several(clip_ids),
        occurred_at=instants,
        classified_at=instants,
    ),
    "statement": _with(
        st.OfficerStatement,
        _recorded,
        incident_id=dispatch_ids,
        officer_id=ids,
        to=hs.sampled_from(["supervisor", "internal_affairs"]),
        given_at=instants,
    ),
    "report": hs.builds(st.Report, incident_id=dispatch_ids, officer_id=ids, filed_at=instants),
    "authorization": _with(
        st.Authorization,
        hs.tuples(
            _ordered.filter(lambda t: t[0] < t[2]).map(lambda t: {"issued_at": t[0], "expires_at": t[2]}),
            hs.one_of(
                hs.tuples(_one_subject, hs.just({"purposes": ("disposal",)})),
                hs.tuples(hs.fixed_dictionaries({"report_sha256": digests}), hs.just({"purposes": ("disposal",)})),
                hs.tuples(_one_subject, hs.fixed_dictionaries({"person_id": ids, "purposes": _viewing})),
                hs.tuples(
                    _one_subject,
                    hs.fixed_dictionaries(
                        {
                            "person_id": ids,
                            "purposes": several(hs.sampled_from(["court", "disclosure"]), 1),
                            "court_order": hs.builds(
                                st.CourtOrder, reference=texts, court=texts, dated=instants, sha256=digests
                            ),
                        }
                    ),
                ),
            ),
        ).map(lambda parts: parts[0] | parts[1][0] | parts[1][1]),
        authorization_id=ids,
    ),
    "hold": _with(
        st.Hold, _one_subject, hold_id=ids, state=hs.sampled_from(["placed", "lifted"]), reason=texts, at=instants
    ),
    "correction": hs.builds(
        st.Correction,
        clip_id=clip_ids,
        officer_id=hs.none() | ids,
        admit=hs.none() | hs.booleans(),
        reason=texts,
        at=instants,
    ),
    "declaration": hs.builds(st.Declaration, clip_id=clip_ids, declared_at=instants),
    "label": hs.builds(
        st.Label,
        clip_id=clip_ids,
        category=ids,
        case_number=hs.none() | texts.filter(bool),
        at=instants,
    ),
    "excusal": hs.builds(
        st.Excusal,
        incident_id=dispatch_ids,
        officer_id=ids,
        reason=literal(st.ExcusalReason),
        note=texts.filter(bool),
        at=instants,
    ),
    "withdrawal": hs.builds(st.Withdrawal, attestation_sha256=digests, reason=texts, at=instants),
    "request": hs.builds(
        st.Request, request_id=ids, clip_id=clip_ids, purpose=literal(st.Purpose), requested_at=instants
    ),
    "opened": hs.builds(
        st.Opened, order_id=ids, clip_id=clip_ids, person_id=ids, opened_at=instants, clip_sha256=digests
    ),
    "release": hs.builds(
        st.Release,
        **_clip_at_dock,
        order_id=ids,
        request_id=ids,
        clip_sha256=digests,
        person_id=ids,
        roles=several(literal(st.Role)),
        purpose=literal(st.Purpose),
        granted_at=instants,
        expires_at=instants,
        regime=ids,
        regime_sha256=digests,
        trust_version=hs.integers(1, 99),
        because=because,
        facts=several(digests),
        wrapped_key=wraps,
    ),
    "revocation": hs.builds(st.Revocation, **_clip_at_dock, order_id=ids, revoked_at=instants, because=because),
    "disposal": hs.builds(
        st.Disposal,
        **_clip_at_dock,
        order_id=ids,
        clip_sha256=digests,
        because=because,
        approvals=several(digests),
        court_order_sha256=hs.none() | digests,
        ordered_at=instants,
    ),
    "acknowledgement": hs.builds(
        st.Acknowledgement, dock_id=ids, through=counts, recipients=several(digests), at=instants
    ),
}
assert BY_KIND.keys() == st.KINDS.keys()


def statements(kind: str | None = None) -> hs.SearchStrategy[Any]:
    """Valid statements of one kind, or of any."""
    return BY_KIND[kind] if kind else hs.sampled_from(sorted(BY_KIND)).flatmap(BY_KIND.__getitem__)


_json = hs.dictionaries(texts, hs.none() | hs.booleans() | hs.integers(-(2**53), 2**53) | texts, max_size=3)
_needs = hs.lists(
    hs.builds(
        doc.Need,
        kind=ids,
        from_=hs.none() | ids,
        form=hs.none() | ids,
        officer_id=hs.none() | ids,
        by=hs.none() | instants,
    ),
    max_size=2,
).map(tuple)
_lock = hs.builds(
    doc.Lock,
    state=hs.sampled_from(["locked", "released", "disposed"]),
    reason=texts,
    releases=hs.lists(
        hs.builds(
            doc.NoticeRelease,
            order_id=ids,
            person_id=ids,
            purpose=literal(st.Purpose),
            expires_at=instants,
            state=hs.sampled_from(["live", "expired", "revoked"]),
        ),
        max_size=2,
    ).map(tuple),
)

_reported = hs.builds(
    ReportedClip,
    dock_id=ids,
    clip_id=clip_ids,
    clip_sha256=digests,
    recorded_at=instants,
    keep_until=hs.none() | instants,
    kept_by=hs.builds(KeptBy, kind=hs.sampled_from(["default", "label", "hold"]), days=hs.none() | hs.floats(1, 9e3)),
)
_section = hs.lists(_reported, max_size=2).map(tuple)
DOCUMENTS: dict[str, hs.SearchStrategy[Any]] = {
    "camera": hs.builds(
        doc.Camera,
        schema_=hs.just("bwc.camera/1"),
        serial=ids,
        model=texts,
        firmware=texts,
        officer_id=ids,
        docked_at=instants,
        battery_percent=hs.floats(0, 100),
        total_bytes=sizes,
        free_bytes=sizes,
    ),
    "envelope": hs.builds(
        doc.EnvelopeDocument,
        payload=texts,
        payloadType=texts,
        signatures=hs.lists(hs.dictionaries(texts, texts, max_size=2), min_size=1, max_size=1),
    ),
    "status": hs.builds(
        doc.DockStatus,
        dock_id=ids,
        state=hs.sampled_from(["online", "offline"]),
        since=instants,
        version=texts,
        bays=counts,
        backlog=counts,
        vault_free_bytes=sizes,
    ),
    "bay": hs.builds(
        doc.Bay,
        bay=ids,
        state=literal(doc.BayState),
        camera_serial=hs.none() | ids,
        officer_id=hs.none() | ids,
        clips_total=counts,
        bytes_done=sizes,
        reason=hs.none() | texts,
    ),
    "notice": hs.builds(
        doc.Notice,
        clip_id=clip_ids,
        dock_id=ids,
        sequence=hs.integers(1, 2**31),
        previous=counts,
        published_at=instants,
        lock=_lock,
        integrity=literal(st.Integrity),
        seal_envelope=_json,
        capture_envelope=hs.none() | _json,
        clip_sha256=digests,
        sealed_sha256=digests,
        sealed_bytes=sizes,
        clock_skew_seconds=seconds,
    ),
    "answer": hs.builds(doc.Answer, accepted=hs.booleans(), reason=hs.none() | texts),
    "decision": hs.builds(
        doc.Decision,
        request_id=ids,
        clip_id=clip_ids,
        outcome=hs.sampled_from(["released", "refused", "revoked", "expired"]),
        because=because,
        needs=_needs,
        decided_at=instants,
    ),
    "standing": hs.builds(
        doc.Standing,
        clip_id=clip_ids,
        incidents=several(dispatch_ids),
        force=hs.sampled_from([*get_args(st.Force), "unclassified"]),
        needs=_needs,
        due=hs.none() | instants,
        overdue=hs.booleans(),
    ),
    "custody": hs.builds(
        doc.CustodyEntry,
        sequence=counts,
        at=instants,
        action=hs.sampled_from(["docked", "ingested", "tagged"]),
        clip_id=hs.none() | clip_ids,
        actor=ids,
        detail=_json,
        attestations=several(digests),
    ),
    "wrapped-keys": hs.builds(
        doc.WrappedKeys,
        clip_id=clip_ids,
        dock_id=ids,
        format=hs.just("AES256_GCM_HKDF_1MB"),
        clip_sha256=digests,
        sealed_sha256=digests,
        wrapped_keys=wraps.map(lambda wrap: (wrap.plain(),)),
    ),
    "disposal-report": hs.builds(
        DisposalReport,
        agency=ids,
        made_at=instants,
        due=_section,
        overdue=_section,
        unclassified=_section,
        kept=_section,
        left_out=counts,
    ),
}
"""Valid documents, by the name of their schema file."""
