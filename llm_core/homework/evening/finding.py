"""The hand-ins in a folder or a zip: one's own folders, or an export of Gradescope or Canvas.

Nothing is left out silently: what is no hand-in has an entry that says why. Links are not followed.
"""

import math
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from ..reading import Handin, chosen, read_bytes

MOST_ENTRIES = 20_000
LARGEST = 50_000_000
CODE = (".py", ".ipynb", ".zip")
METADATA = "submission_metadata.yml"
CANVAS = re.compile(r"^(?P<name>[^_]+)_(?P<late>LATE_)?(?P<id>\d+)_(?P<submission>\d+)_(?P<file>.+)$")
GRADESCOPE = re.compile(r"^submission_\d+$")


@dataclass(frozen=True)
class Entry:
    """A hand-in, or the reason why there is none. ``file`` is its path in the folder; ``late`` counts days."""

    file: str
    name: str = ""
    id: str = ""
    late: int = 0
    handin: Handin | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Person:
    """Who handed in what lies in a folder, and when."""

    name: str
    id: str
    created: datetime | None = None


def entries(place: Path, due: datetime | None = None) -> list[Entry]:
    """After ``due`` a hand-in is late, if an export says when it came; Canvas says only that it was: one day.

    Raises:
        OSError, ValueError: it is neither a folder nor a zip, or there is nothing in it.
    """
    files = dict(_of_zip(place) if place.is_file() else _of_folder(place))
    people = _people(files)
    found = [_entry(key, group, files, _who(group[0], people, due)) for key, group in _groups(files)]
    if not found:
        raise ValueError(f"{place} has no .py file, no notebook and no zip")
    return sorted(found, key=lambda entry: entry.file)


Content = bytes | str  # what is in a file, or why it is not read


def _of_folder(folder: Path) -> Iterator[tuple[str, Content]]:
    if not folder.is_dir():
        raise NotADirectoryError(20, "there is no such folder", str(folder))
    count = 0
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_litter(name))
        for name in sorted(names):
            count += 1
            if count > MOST_ENTRIES:
                yield "…", f"There are more than {MOST_ENTRIES:,} files: the rest was not read."
                return
            file = Path(path, name)
            if not _is_litter(name):
                yield file.relative_to(folder).as_posix(), _content(file)
        for name in list(folders):
            if Path(path, name).is_symlink():
                yield Path(path, name).relative_to(folder).as_posix(), "This is a link: it is not followed."


def _content(file: Path) -> Content:
    if file.is_symlink():
        return "This is a link: it is not followed."
    if not file.is_file():
        return "This is no ordinary file."
    if file.suffix.lower() not in CODE and file.name != METADATA:
        return f"A homework is a .py file, a notebook or a zip, and this is “{file.suffix or 'without ending'}”."
    try:
        if file.stat().st_size > LARGEST:
            return f"This is larger than {LARGEST // 1_000_000} MB."
        return file.read_bytes()
    except OSError as error:
        return f"This file could not be read: {error.strerror or error}."


def _of_zip(place: Path) -> Iterator[tuple[str, Content]]:
    try:
        archive = zipfile.ZipFile(place)
    except Exception:  # zipfile raises of many kinds
        raise ValueError(f"{place} is neither a folder nor a zip that can be opened") from None
    with archive:
        for info in archive.infolist()[:MOST_ENTRIES]:
            path = PurePosixPath(info.filename)
            if not info.is_dir() and not any(map(_is_litter, path.parts)):
                yield str(path), _member(archive, info)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Content:
    path = PurePosixPath(info.filename)
    if not (path.suffix.lower() in CODE or path.name == METADATA) or info.file_size > LARGEST:
        return "This is no homework, or too large."
    try:
        return archive.read(info)
    except Exception:
        return "This cannot be read from the zip: it is damaged, or has a password."


def _is_litter(name: str) -> bool:
    """What a Mac or an editor leaves beside the files of people."""
    return name.startswith((".", "__MACOSX", "__pycache__"))


def _groups(files: dict[str, Content]) -> Iterator[tuple[str, list[str]]]:
    """Files of one student: all of a folder, one by one where they lie in the top one."""
    grouped: dict[str, list[str]] = {}
    shared = _top(files)
    for name in files:
        parts = PurePosixPath(name).relative_to(shared).parts
        if parts[-1] == METADATA:
            continue
        key = parts[0] if len(parts) > 1 else _of_canvas(name) or name
        grouped.setdefault(str(PurePosixPath(shared, key)), []).append(name)
    for key, names in grouped.items():
        code = [name for name in names if isinstance(files[name], bytes)]
        if code:
            yield key, code
            names = [name for name in names if name not in code and PurePosixPath(name).suffix in CODE]
        yield from ((name, [name]) for name in names)


def _of_canvas(name: str) -> str | None:
    """Canvas puts the files of all students into one folder: what those of one student have in common."""
    told = CANVAS.match(PurePosixPath(name).name)
    return f"{told['name']}_{told['id']}" if told else None


def _own_name(name: str) -> str:
    """As the student called the file: Canvas puts names and numbers in front, and -1, -2 behind when it comes anew."""
    path = PurePosixPath(name)
    told = CANVAS.match(path.name)
    return str(path.with_name(re.sub(r"-\d+(?=\.\w+$)", "", told["file"]))) if told else name


def _top(files: dict[str, Content]) -> str:
    """A folder that everything lies in is no student's: an export has one around it."""
    tops = {PurePosixPath(name).parts[0] for name in files if len(PurePosixPath(name).parts) > 1}
    alone = len(tops) == 1 and all(len(PurePosixPath(name).parts) > 2 for name in files if METADATA not in name)
    return tops.pop() if alone and files else "."


def _entry(key: str, names: list[str], files: dict[str, Content], who: tuple[str, str, int]) -> Entry:
    name, told = names[0], names[0] if len(names) == 1 else f"{key}/"
    content = files[name]
    if isinstance(content, str):
        return Entry(name, *who, problem=content)
    try:
        if len(names) == 1:
            return Entry(name, *who, handin=read_bytes(content, name))
        read = ((one, files[one]) for one in names)
        inner = {_own_name(one): content for one, content in read if isinstance(content, bytes)}
        return Entry(told, *who, handin=chosen(inner))
    except ValueError as error:
        return Entry(told, *who, problem=str(error))


def _who(file: str, people: dict[str, Person], due: datetime | None) -> tuple[str, str, int]:
    """Name, id, and how many days it was late."""
    parts = PurePosixPath(file).parts
    for person in (people[part] for part in parts if part in people):
        return person.name, person.id, _days_between(due, person.created)
    canvas = CANVAS.match(parts[-1])
    if canvas:
        return canvas["name"], canvas["id"], int(bool(canvas["late"]))
    return (parts[-2] if len(parts) > 1 else PurePosixPath(file).stem), "", 0


def _days_between(due: datetime | None, created: datetime | None) -> int:
    """Days that have begun."""
    return max(0, math.ceil((created - due).total_seconds() / 86_400)) if due and created else 0


def _people(files: dict[str, Content]) -> dict[str, Person]:
    """Gradescope's list of who handed in which folder, alone or in a group."""
    found: dict[str, Person] = {}
    for name, content in files.items():
        if name.endswith(METADATA) and isinstance(content, bytes):
            text = content.decode("utf-8", "replace")
            times = _times(text)
            for folder, people in _submitters(text).items():
                ids = [person.get("sid") or person.get("email", "") for person in people]
                names = [person.get("name", "") for person in people]
                found[folder] = Person(", ".join(filter(None, names)), ", ".join(filter(None, ids)), times.get(folder))
    return found


FOLDER = re.compile(r"^['\"]?(submission_\d+)['\"]?:\s*$")
CREATED = re.compile(r"^ {0,2}:created_at:\s*['\"]?(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)[.\d]*\s*(Z|[+-]\d\d:?\d\d)")


def _times(text: str) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    folder = ""
    for line in text.splitlines():
        top, created = FOLDER.match(line), CREATED.match(line)
        folder = top[1] if top else folder
        if created and folder:
            day, time, zone = created.groups()
            zone = "+0000" if zone == "Z" else zone.replace(":", "")
            found[folder] = datetime.strptime(f"{day} {time} {zone}", "%Y-%m-%d %H:%M:%S %z")
    return found


def _submitters(text: str) -> dict[str, list[dict[str, str]]]:
    """The YAML is simple enough to be read by lines. Other lists in it, of earlier attempts, name nobody."""
    found: dict[str, list[dict[str, str]]] = {}
    people: list[dict[str, str]] = []
    is_inside = False
    for line in text.splitlines():
        top = FOLDER.match(line)
        part = re.match(r"^ {0,2}:(\w+):", line)
        value = re.match(r"^\s*(-?)\s*:(name|sid|email):\s*['\"]?(.*?)['\"]?\s*$", line)
        if top:
            people = found.setdefault(top[1], [])
        elif part:
            is_inside = part[1] == "submitters"
        elif is_inside and value:
            if value[1] or not people:
                people.append({})
            people[-1][value[2]] = value[3]
    return found
