"""Reads simple pages as pip, pypi-simple, pdm and poetry do, and says in JSON what each of them saw.

Called with a folder that holds `manifest.json` and the pages that it lists. Judges nothing: what may be seen is the
caller's business. For each page, and each of the readers, the answer has all files that it saw, and with each file
every project that the reader could take it for.
"""

import json
import posixpath
import sys
import warnings
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from pip._internal.index.collector import IndexContent, parse_links
from pip._internal.index.package_finder import LinkEvaluator, LinkType
from pip._internal.models.candidate import InstallationCandidate
from pip._internal.models.target_python import TargetPython
from pip._vendor.packaging.version import InvalidVersion
from poetry.repositories.link_sources.html import HTMLPage
from poetry.repositories.link_sources.json import SimpleJsonPage
from pypi_simple import ProjectPage
from unearth.collector import IndexPage, parse_html_page, parse_json_response
from unearth.evaluator import Evaluator
from unearth.link import Link as UnearthLink

# Of newer Pythons pip doesn't know a `-py3.11` at the end of a version when it sees one.
PYTHONS = [TargetPython(), TargetPython(py_version_info=(3, 9)), TargetPython(py_version_info=(2, 7))]
FORMATS = frozenset({"binary", "source"})


def main(folder):
    warnings.simplefilter("ignore")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    answer = [read(page, (folder / page["file"]).read_bytes(), manifest["names"]) for page in manifest["pages"]]
    json.dump(answer, sys.stdout)


def read(page, body, names):
    readers = {"pip": pip_sees, "pypi_simple": pypi_simple_sees, "unearth": unearth_sees, "poetry": poetry_sees}
    return {reader: attempt(sees, page, body, names) for reader, sees in readers.items()}


def attempt(sees, page, body, names):
    try:
        return sees(page, body, names)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def pip_sees(page, body, names):
    # As the header is read for pip by `_get_encoding_from_headers`.
    encoding = "UTF-8" if "charset" in page["content_type"] else None
    content = IndexContent(body, page["content_type"], encoding, page["url"], cache_link_parsing=False)
    return {"files": [pip_sees_link(link, page, names) for link in parse_links(content)]}


def pip_sees_link(link, page, names):
    wanted = {page["project"], *names} | beginnings(link.filename) | beginnings(link.egg_fragment or "")
    metadata = link.metadata_file_data
    return {
        "names": [link.filename],
        "url": urldefrag(link.url).url,
        "hashes": link._hashes,
        "requires_python": link.requires_python,
        "yanked": link.yanked_reason,
        "metadata": None if metadata is None else metadata.hashes or {},
        "time": link.upload_time.isoformat() if link.upload_time else None,
        "projects": claims(
            {name for name in wanted if is_candidate(link, name)} | of_egg(link), [link.filename, segment(link.url)]
        ),
    }


def beginnings(text):
    """All names that `text` could begin with."""
    return {canonicalize_name(text[:at]) for at, letter in enumerate(text) if letter == "-"}


def is_candidate(link, name):
    return any(is_candidate_on(python, link, name) for python in PYTHONS)


def is_candidate_on(python, link, name):
    evaluator = LinkEvaluator(
        name, name, FORMATS, python, allow_yanked=True, ignore_requires_python=True, uploaded_prior_to=None
    )
    result, version = evaluator.evaluate_link(link)
    try:
        return result is LinkType.candidate and bool(InstallationCandidate(name, version, link))
    except InvalidVersion:
        return False


def of_egg(link):
    return {canonicalize_name(link.egg_fragment)} if link.egg_fragment else set()


def pypi_simple_sees(page, body, names):
    if page["content_type"].endswith("+json"):
        seen = ProjectPage.from_json_data(json.loads(body), page["url"])
    else:
        seen = ProjectPage.from_html(page["project"], body, page["url"], "utf-8")
    return {
        "files": [pypi_simple_sees_package(package) for package in seen.packages],
        "versions": seen.versions,
        "elsewhere": seen.tracks + seen.alternate_locations,
    }


def pypi_simple_sees_package(package):
    project = {canonicalize_name(package.project)} if package.project else set()
    return {
        "names": [package.filename],
        "url": package.url,
        "hashes": package.digests,
        "requires_python": package.requires_python or None,
        "yanked": (package.yanked_reason or "") if package.is_yanked else None,
        "metadata": package.metadata_digests if package.has_metadata else None,
        "size": package.size,
        "time": package.upload_time.isoformat() if package.upload_time else None,
        "provenance": package.provenance_url,
        "projects": claims(
            project | of_provenance(package.provenance_url), [package.filename, segment(package.url)]
        ),
    }


def unearth_sees(page, body, names):
    parse = parse_json_response if page["content_type"].endswith("+json") else parse_html_page
    content = IndexPage(UnearthLink(page["url"]), body, "utf-8", page["content_type"])
    return {"files": [unearth_sees_link(link, page, names) for link in parse(content)]}


def unearth_sees_link(link, page, names):
    wanted = {page["project"], *names} | beginnings(link.filename) | beginnings(link._fragment_dict.get("egg", ""))
    evaluators = (Evaluator(name, ignore_compatibility=True, allow_yanked=True) for name in wanted)
    return {
        "names": [link.filename],
        "url": link.url_without_fragment,
        "requires_python": link.requires_python or None,
        "projects": claims(
            {evaluator.package_name for evaluator in evaluators if evaluator.evaluate_link(link)},
            [link.filename, segment(link.url)],
        ),
    }


def poetry_sees(page, body, names):
    """Only what poetry takes for some project's; the rest of a page it doesn't even make into links."""
    if page["content_type"].endswith("+json"):
        source = SimpleJsonPage(page["url"], json.loads(body))
    else:
        source = HTMLPage(page["url"], body.decode())
    return {
        "files": [
            poetry_sees_link(link, name)
            for name, versions in source._link_factory_cache.items()
            for version in versions
            for link in source.links_for_version(name, version)
        ]
    }


def poetry_sees_link(link, name):
    egg = {canonicalize_name(link.egg_fragment)} if link.egg_fragment else set()
    return {
        "names": [link.filename],
        "url": link.url_without_fragment,
        "hashes": dict(link.hashes),
        "requires_python": link.requires_python,
        "projects": claims({name} | egg, [link.filename, segment(link.url)]),
    }


def of_provenance(url):
    segments = unquote(urlsplit(url or "").path).rstrip("/").split("/")
    if segments[-1] != "provenance":
        return set(claims(set(), [segments[-1].removesuffix(".provenance")]))
    return {canonicalize_name(name) for name in segments[-4:-3]} | set(claims(set(), segments[-2:-1]))


def segment(url):
    return posixpath.basename(unquote(urlsplit(url).path).rstrip("/"))


def claims(projects, filenames):
    """`projects`, and those that packaging takes the files for."""
    for filename in filenames:
        for parse, invalid in (
            (parse_wheel_filename, InvalidWheelFilename),
            (parse_sdist_filename, InvalidSdistFilename),
        ):
            try:
                projects = projects | {parse(filename)[0]}
            except invalid:
                pass
    return sorted(projects)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
