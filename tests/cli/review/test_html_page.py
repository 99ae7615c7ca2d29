import base64
import re

from bloodcells.cli.review.html_page import web_page

PAGE = """# Review: `a` against `b`

- **bccd**: resnet **▼ worse**.

| model  | verdict        |    p |
| ------ | -------------- | ---: |
| resnet | ▼ worse        | 0.01 |
| other  | ≈ within noise | 0.90 |

<details><summary>resnet &amp; flips</summary>

- `<b>.jpg`

</details>

![Accuracy](review-bccd-accuracy.png)
"""


def test_the_page_contains_all_that_it_shows() -> None:
    html = web_page(PAGE, {"review-bccd-accuracy.png": b"\x89PNG picture"})
    sources = re.findall(r'(?:src|href|url|srcset|action|data)\s*[=(]\s*["\']?([^"\')\s>]+)', html)
    assert sources == ["data:image/png;base64," + base64.b64encode(b"\x89PNG picture").decode()]
    assert not re.search(r"https?://|//[a-z]|@import|<script|<link|<iframe", html)
    assert "default-src 'none'" in html  # and a browser fetches nothing
    assert 'alt="Accuracy"' in html


def test_the_page_has_the_content_of_the_markdown_with_colored_verdicts() -> None:
    html = web_page(PAGE, {"review-bccd-accuracy.png": b""})
    assert "<title>Review: a against b</title>" in html
    assert '<td class="worse">▼ worse</td>' in html
    assert '<td class="noise">≈ within noise</td>' in html
    assert '<strong class="worse">▼ worse</strong>' in html
    assert '<td style="text-align:right">0.01</td>' in html
    assert "<details><summary>resnet &amp; flips</summary>" in html
    assert "<code>&lt;b&gt;.jpg</code>" in html


def test_a_foreign_picture_is_neither_embedded_nor_fetched() -> None:
    html = web_page("# a\n\n![b](https://elsewhere/b.png)\n", {})
    assert "data:image" not in html
    assert "default-src 'none'; img-src data:" in html


def test_the_title_is_escaped() -> None:
    assert "<title>Review: &lt;/title&gt;&lt;b&gt;</title>" in web_page("# Review: `</title><b>`\n", {})
