"""A kind cluster and two registries on any machine; hack/cluster and hack/images are its commands.

Standard library only: it must run before anything of the project is installed.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  whoever has an older one is told, not shown a traceback
    print(
        f"{sys.argv[0]}: Python {sys.version.split()[0]} is too old, 3.11 or newer is needed; "
        f"name one: python3.13 {sys.argv[0]}",
        file=sys.stderr,
    )
    raise SystemExit(2)
