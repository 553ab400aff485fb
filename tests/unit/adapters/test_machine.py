"""The mark of a machine: the same at each start, and another one on another machine."""

from pathlib import Path

from dokku_registryd.adapters.host import machine

ID = "b08dfa6083e7567a1921a715000001fb"


def test_each_machine_has_its_own(tmp_path: Path) -> None:
    """ID and name count; the ID itself is not in the mark."""
    file, other = tmp_path / "machine-id", tmp_path / "other"
    file.write_text(f"{ID}\n")
    other.write_text(f"{ID[::-1]}\n")

    one = machine.mark(file, name="fra1")

    assert one == machine.mark(file, name="fra1")
    assert ID not in one
    others = {
        machine.mark(file, name="sin1"),
        machine.mark(other, name="fra1"),
        machine.mark(tmp_path / "missing", name="fra1"),
    }
    assert len({one, *others}) == 4
    assert machine.mark() == machine.mark()
