"""`python -m isingeq` is `isingeq`."""

from isingeq.cli import main

if __name__ == "__main__":
    main()
