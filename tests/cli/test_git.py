from pathlib import Path

import pytest

from bloodcells.cli import git as revisions
from bloodcells.core.errors import InputError
from tests.cli.review.committed import git
from tests.support import project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with two commits on main, and a branch `topic` with one commit on top of the first."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / ".gitignore").write_text("*.log\n")
    (folder / "a.txt").write_text("one\n")
    (folder / "gone.txt").write_text("here\n")
    project.commit(folder, "first")
    git(folder, "branch", "topic")
    (folder / "a.txt").write_text("two\n")
    project.commit(folder, "second")
    git(folder, "checkout", "--quiet", "topic")
    (folder / "b.txt").write_text("topic\n")
    project.commit(folder, "third")
    return folder


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_base_is_where_the_branch_left_main(root: Path) -> None:
    base = revisions.merge_base(root, revisions.working_tree(root))
    assert base.commit == git(root, "rev-parse", "main~1")
    assert base.name == "merge base with main"


def test_the_remote_main_is_preferred_to_the_local_one(root: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--branch=topic", str(root), "clone")
    clone = tmp_path / "clone"
    git(clone, "branch", "main", "topic")  # left behind, or ahead: nobody's base
    base = revisions.merge_base(clone, revisions.working_tree(clone))
    assert base.commit == git(root, "rev-parse", "main~1")
    assert base.name == "merge base with origin/main"


def test_a_revision_is_laid_out_as_it_was_committed(root: Path, tmp_path: Path) -> None:
    (root / "a.txt").write_text("edited\n")
    revisions.lay_out(root, revisions.revision(root, "main"), tmp_path / "out")
    assert files(tmp_path / "out") == {".gitignore": "*.log\n", "a.txt": "two\n", "gone.txt": "here\n"}
    assert (root / "a.txt").read_text() == "edited\n"
    assert git(root, "status", "--short") == "M a.txt"


def test_the_working_tree_is_laid_out_with_what_would_be_committed(root: Path, tmp_path: Path) -> None:
    (root / "new é.txt").write_text("new\n")
    (root / "run.log").write_text("ignored\n")
    (root / "gone.txt").unlink()
    (root / "link").symlink_to("a.txt")
    revisions.lay_out(root, revisions.working_tree(root), tmp_path / "out")
    laid = files(tmp_path / "out")
    assert set(laid) == {".gitignore", "a.txt", "b.txt", "new é.txt", "link"}


def test_links_become_files_with_their_targets(root: Path, tmp_path: Path) -> None:
    """Otherwise a stranger's branch could make a review read and write files of this machine."""
    (tmp_path / "secret").write_text("of this machine\n")
    (root / "out.txt").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    (root / "nowhere").symlink_to("nothing")
    project.commit(root, "links")
    links = {"out.txt": str(tmp_path / "secret"), "folder": str(tmp_path), "nowhere": "nothing"}
    for which in (revisions.working_tree(root), revisions.revision(root, "HEAD")):
        laid = tmp_path / ("edited" if which.edited else "committed")
        revisions.lay_out(root, which, laid)
        assert {name: text for name, text in files(laid).items() if name in links} == links
        assert not any(path.is_symlink() for path in laid.rglob("*"))


def test_a_revision_that_git_cannot_lay_out_is_an_error(root: Path, tmp_path: Path) -> None:
    which = revisions.revision(root, "main")
    blob = git(root, "rev-parse", "main:a.txt")
    (root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(InputError, match=r"git can't lay out the files of main: .*`git fsck` checks"):
        revisions.lay_out(root, which, tmp_path / "out")
    nothing = revisions.Revision("gone", "1" * 40)
    with pytest.raises(InputError, match="the files of gone: "):
        revisions.lay_out(root, nothing, tmp_path / "other")


def test_changed_lines_of_added_edited_and_removed_files(tmp_path: Path) -> None:
    base, head = tmp_path / "base", tmp_path / "head"
    for folder, texts in (
        (base, {"same": "1\n", "edited": "1\n2\n3\n", "gone": "1\n2\n"}),
        (head, {"same": "1\n", "edited": "1\nx\ny\n3\n", "deep/ é\tnew": "1\n"}),
    ):
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    (head / "binary").write_bytes(b"\0\1")
    expected = {"binary": (0, 0), "deep/ é\tnew": (1, 0), "edited": (2, 1), "gone": (0, 2)}
    assert revisions.changed_lines(base, head) == expected


def test_outside_a_repository(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not in a git repository: run this in a clone"):
        revisions.repository(tmp_path)


def test_without_git(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="git is not installed: a review needs it"):
        revisions.repository(root)


@pytest.mark.parametrize("name", ["nonesuch", "--all", "HEAD:a.txt", ""])
def test_an_unknown_revision(root: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"no revision {name!r} here: `git branch --all`"):
        revisions.revision(root, name)


def test_before_the_first_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    with pytest.raises(InputError, match="no revision 'HEAD'"):
        revisions.working_tree(tmp_path)


def test_without_a_main_branch(root: Path) -> None:
    git(root, "branch", "--quiet", "--delete", "--force", "main")
    with pytest.raises(InputError, match=r"neither origin/main nor main .* name the revision"):
        revisions.merge_base(root, revisions.working_tree(root))


@pytest.mark.parametrize("branches", [[], ["--no-single-branch"]])
def test_a_shallow_clone_names_the_remedy(root: Path, tmp_path: Path, branches: list[str]) -> None:
    """With the branch alone there is no main; with all of them there is no common commit."""
    git(tmp_path, "clone", "--quiet", "--depth=1", *branches, "--branch=topic", f"file://{root}", "clone")
    clone = tmp_path / "clone"
    with pytest.raises(InputError, match=r"shallow.*fetch-depth: 0"):
        revisions.merge_base(clone, revisions.working_tree(clone))
    with pytest.raises(InputError, match=r"shallow.*fetch-depth: 0"):
        revisions.revision(clone, "HEAD~1")


def test_a_clone_of_another_user_gets_git_s_own_message(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its tests
    with pytest.raises(InputError, match=r"(?s)^detected dubious ownership.*safe\.directory"):
        revisions.repository(root)
