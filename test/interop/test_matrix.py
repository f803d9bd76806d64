"""Every client sees the same from SandTrap as from sshd."""
import rows
import table


def test_row(row, outcomes):
    problems = outcomes[row.name].result(240)
    assert not problems, "\n".join(problems)


def test_the_document_lists_these_rows():
    assert table.is_current(rows.ROWS), "docs/interoperability.md is not what the rows say: run `make interop`"


def test_rows_have_names_of_their_own():
    names = [row.name for row in rows.ROWS]
    assert sorted(names) == sorted(set(names))
