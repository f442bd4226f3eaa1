"""What can be seen at a path by the user that this process is: no question here fails."""

from pathlib import Path


def is_there(path: Path) -> bool:
    """Whether there is something at a path that this user can see."""
    try:
        return path.exists()
    except OSError:  # a directory above it that does not let us in
        return False


def is_directory(path: Path) -> bool:
    """Whether there is a directory at a path that this user can see."""
    try:
        return path.is_dir()
    except OSError:  # as above
        return False
