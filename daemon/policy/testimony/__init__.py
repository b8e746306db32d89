"""What people attested about a clip, and how far each word counts.

Two rules stand behind everything here. Silence opens nothing: a clip opens only when somebody entitled and unconflicted
has classified every incident it belongs to, or the clip itself. And a conflicted word can close, never open: whoever
was in the incident may say that there was more force, or that an officer was involved, but not that there was less.

Everything is judged anew at each decision, by all that is known then, and never by the order in which it came.
May import model; nothing else of the policy service. No database and no clock.
"""
