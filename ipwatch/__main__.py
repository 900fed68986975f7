"""`python -m ipwatch` is `ipwatch`."""

from ipwatch.cli import main

raise SystemExit(main())
