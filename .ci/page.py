"""Looks at every page as a browser does: `.ci/page.py DIRECTORY URL...`, the first URL being that of a daemon with a past.

Of each page, in both colour schemes and two widths, it takes a picture and wants: no message on the console (a violation of the
policy would be one), no request for anything but the page itself, no scrolling sideways, and nothing that axe-core objects to.
Besides, that the keyboard gets past the links, and that every link leads somewhere. Each look has a control, in which it must
find the fault that it looks for.
"""

import sys
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

faults: list[str] = []


def overflow(page: Page) -> list[str]:
    """The elements that stick out of the window, if the page scrolls sideways."""
    return page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            const out = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > width + 0.5);
            return ["scrolls sideways"].concat(out.slice(-3).map((e) => e.outerHTML.slice(0, 120)));
        }"""
    )


def objections(page: Page) -> list[str]:
    """What axe-core objects to."""
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found]


def look(page: Page, base: str, path: str, picture: Path) -> set[str]:
    """Looks at one page. Answers where its links lead."""
    said, asked = [], []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    answer = page.goto(base + path)
    assert answer is not None
    fault = lambda text: faults.append(f"{picture.name} ({path}): {text}")
    is_missing = path.endswith("/nowhere")
    if answer.status != (404 if is_missing else 200):
        fault(f"status {answer.status}")
    # Of a page that is not there the browser itself complains, and that is meant.
    for text in said if not is_missing else said[1:]:
        fault(f"console: {text}")
    for url in asked:
        if url != base + path.split("#")[0] and not url.startswith("data:"):
            fault(f"asks for {url}")
    for text in overflow(page) + objections(page):
        fault(text)
    if page.locator("script, [style], [onclick], iframe, form").count():
        fault("has what a page without scripts, forms and styles of its own has not")
    page.screenshot(path=picture, full_page=True)
    links = page.eval_on_selector_all("a[href]", "links => links.map((link) => link.getAttribute('href'))")
    return {urljoin(base + path, link) for link in links}


def keyboard(page: Page, base: str) -> None:
    """The first stop of the tabulator is seen and leads past the links."""
    page.goto(base + "/")
    page.keyboard.press("Tab")
    focused = page.evaluate(
        "() => [document.activeElement.getAttribute('href'), document.activeElement.getBoundingClientRect().width]"
    )
    if focused[0] != "#main" or focused[1] < 50:
        faults.append(f"the first stop of the tabulator is {focused}")
    page.keyboard.press("Enter")
    if page.evaluate("() => document.activeElement.id") != "main":
        faults.append("the link to the content does not lead there")
    page.keyboard.press("Tab")
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    if outline == "none":
        faults.append("what has the focus is not seen to have it")


def controls(page: Page, base: str) -> None:
    """Each look finds the fault that it looks for."""
    page.goto(base + "/")
    page.evaluate("() => document.querySelector('main').insertAdjacentHTML('beforeend', '<svg width=3000 height=9 role=img />')")
    if not overflow(page) or not any(one.startswith("svg-img-alt") for one in objections(page)):
        faults.append("a picture that is too wide and has no words is not noticed: the looks are blind")
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.evaluate("() => document.body.setAttribute('style', 'color: red')")
    page.evaluate("() => { const s = document.createElement('script'); s.textContent = '1'; document.body.append(s); }")
    if not any("Content Security Policy" in text for text in said):
        faults.append("a script in the page violates no policy: the policy is none")


def places(page: Page, base: str) -> list[tuple[str, str]]:
    """Every page, with a name for its picture."""
    page.goto(base + "/repositories")
    found = page.eval_on_selector_all("tbody th a", "links => links.map((link) => link.getAttribute('href'))")
    return [
        ("overview", "/"),
        ("month", "/?range=30d"),
        ("repositories", "/repositories"),
        ("pending", "/pending"),
        ("deletions", "/deletions"),
        ("nowhere", "/repositories/nowhere"),
        *[(f"repository-{n}", path) for n, path in enumerate(found[:2])],
        *[(f"gone-{n}", f"{path}?state=gone") for n, path in enumerate(found[:1])],
    ]


def main() -> None:
    directory, bases = Path(sys.argv[1]), sys.argv[2:]
    n_pictures, links = 0, set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        first = browser.new_page()
        controls(browser.new_page(), bases[0])
        keyboard(browser.new_page(), bases[0])
        for n, base in enumerate(bases):
            for scheme in SCHEMES:
                for width in WIDTHS:
                    for name, path in places(first, base):
                        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
                        picture = directory / f"{'lived' if n == 0 else 'fresh'}-{name}-{scheme}-{width}.png"
                        links |= look(context.new_page(), base, path, picture)
                        context.close()
                        n_pictures += 1
        n_links = 0
        for url in sorted({urlsplit(url)._replace(fragment="").geturl() for url in links}):
            if url.endswith("/nowhere"):
                continue
            n_links += 1
            status = first.request.get(url, headers={"Accept": "text/html"}).status
            if status != 200:
                faults.append(f"a link leads to {url}, which answers {status}")
        version = browser.version
        browser.close()
    for fault in faults:
        print(f"page: {fault}", file=sys.stderr)
    print(f"page: {n_pictures} pictures by Chromium {version}, {n_links} links, {len(faults)} faults")
    sys.exit(1 if faults else 0)


main()
