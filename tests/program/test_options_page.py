"""docs/options.md lists the options that the parsers have."""

from scripts.write_options_page import PAGE, make_page


def test_the_page_is_what_the_parsers_say():
    assert PAGE.read_text(encoding="utf-8") == make_page(), "renew it: python -m scripts.write_options_page"
