"""The administrator's registries in a build pod: client certificates by the names of their Secrets."""

from __future__ import annotations

import make
from imagebuild.contract import layout, plan
from imagebuild.core.registries import registries
from imagebuild.runner.daemon import configuration


def test_registries_with_one_secret_share_its_volume() -> None:
    one, other = {"clientCertificate": {"name": "b"}}, {"clientCertificate": {"name": "a"}}
    config = make.make_config(
        registries=[{"host": "x", **one}, {"host": "y", **one}, {"host": "z", **other}, {"host": "w"}]
    )
    part = registries(config)
    assert [volume["secret"]["secretName"] for volume in part.volumes] == ["a", "b"]
    assert all(volume["secret"]["optional"] for volume in part.volumes), "a missing one is named, or not needed"
    mounted = {entry.host: entry.client_certificate for entry in part.plan["registries"]}
    b = plan.Mount(name="b", path=f"{layout.CLIENT_CERTIFICATES_DIR}/1")
    assert mounted == {"x": b, "y": b, "z": plan.Mount(name="a", path=f"{layout.CLIENT_CERTIFICATES_DIR}/0"), "w": None}


def test_buildkitd_reads_the_files() -> None:
    secret = plan.Mount(name="client", path="/here")
    text = configuration([plan.Registry(host="vault.example.com", client_certificate=secret)])
    assert '[registry."vault.example.com"]\n  keypair = [{cert = "/here/tls.crt", key = "/here/tls.key"}]' in text
