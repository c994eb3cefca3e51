"""What is reached without the proxy: the rules of noProxy, as Go has them."""

from __future__ import annotations

import pytest

from imagebuild.runner.direct import as_environment, is_direct


@pytest.mark.parametrize(
    ("rule", "place", "direct"),
    [
        pytest.param("example.com", "example.com:443", True, id="the host itself"),
        pytest.param("example.com", "Git.Example.COM:443", True, id="a host below it, in any case of letters"),
        pytest.param("example.com", "notexample.com:443", False, id="a host that only ends alike"),
        pytest.param(".example.com", "git.example.com:443", True, id="a suffix"),
        pytest.param(".example.com", "example.com:443", False, id="not what the suffix is of"),
        pytest.param("*.example.com", "git.example.com:443", True, id="a suffix with a star"),
        pytest.param("*.example.com", "example.com:443", False, id="not what the star's suffix is of"),
        pytest.param("example.com:5000", "example.com:5000", True, id="a port"),
        pytest.param("example.com:5000", "example.com:443", False, id="another port"),
        pytest.param(".example.com:5000", "git.example.com:5000", True, id="a suffix with a port"),
        pytest.param("10.0.0.0/8", "10.1.2.3:80", True, id="a network"),
        pytest.param("10.0.0.0/8", "11.1.2.3:80", False, id="another network"),
        pytest.param("10.0.0.0/8", "ten.example.com:80", False, id="a name is not resolved for it"),
        pytest.param("10.1.2.3", "10.1.2.3:80", True, id="an address"),
        pytest.param("fd00::/8", "[fd00::1]:80", True, id="a network of IPv6"),
        pytest.param("*", "anything.example.com:80", True, id="everything"),
        pytest.param("x", "localhost:80", True, id="the pod itself by name"),
        pytest.param("x", "127.0.0.2:80", True, id="the pod itself by address"),
        pytest.param("x", "169.254.170.23:80", True, id="where a cloud gives credentials to the pod"),
    ],
)
def test_a_rule_says_what_is_reached_directly(rule: str, place: str, direct: bool) -> None:
    host, _, port = place.rpartition(":")
    assert is_direct([rule], host, int(port)) is direct


def test_programs_get_the_rules_as_most_of_them_read_it() -> None:
    given = as_environment(["*.example.com", "10.0.0.0/8", "*"]).split(",")
    assert {"localhost", "127.0.0.1", ".example.com", "10.0.0.0/8", "*"} < set(given)
    assert "*.example.com" not in given
