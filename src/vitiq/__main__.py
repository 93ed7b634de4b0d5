"""`python -m vitiq` is `vitiq`."""

from vitiq.cli.main import main

if __name__ == "__main__":
    main()
