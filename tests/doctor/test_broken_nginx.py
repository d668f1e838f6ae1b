"""Deliberately broken between our metrics and Prometheus: the doctor names that one cause, and what mends it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.doctor.chain import BASIC_AUTH, NGINX_USER, Chain, sign_server
from tests.e2e.web import Web, prepare_nginx, render_nginx, serving, write_nginx_conf
from tests.ports import find_port


def prepare_other(chain: Chain, folder: Path, sockets: Path | None = None, *, days: int = 30) -> Web:
    """Write what another nginx needs, in `folder`."""
    web = prepare_nginx(folder / "nginx")
    sign_server(web, days)
    render_nginx(web, sockets or chain.folder, BASIC_AUTH, user=NGINX_USER)
    return web


def test_nginx_that_does_not_run(chain: Chain, tmp_path: Path) -> None:
    """Nobody listens, and there is no process with this configuration."""
    web = prepare_other(chain, tmp_path)
    told = chain.ask(nginx_config=web.folder / "nginx.conf", ca=web.ca_file)
    told.assert_only(
        "nginx", f"nginx does not run: nobody listens at https://127.0.0.1:{web.port}", "systemctl start nginx"
    )


def test_nginx_that_has_not_read_our_part(chain: Chain) -> None:
    """It runs, but nobody listens on that port."""
    told = chain.ask(url=f"https://localhost:{find_port()}")
    told.assert_only("nginx", "nginx runs, but nobody listens at ", "nginx -t && systemctl reload nginx")


def test_nginx_that_may_not_write_to_the_socket(chain: Chain, open_folder: Path) -> None:
    """It answers 502; its user and the socket's mode are named, and the command mends it.

    It is another nginx, as one that has kept a connection goes on with that.
    """
    web = prepare_other(chain, open_folder)
    given = {"nginx_config": web.folder / "nginx.conf", "ca": web.ca_file}
    status = chain.http_socket.stat()
    shutil.chown(chain.http_socket, group="root")
    try:
        with serving(web):
            with web.connect() as client:
                assert client.get("/metrics").status_code == 502
            told = chain.ask(**given)
            command = f"chgrp {NGINX_USER} {chain.http_socket} && chmod g+w {chain.http_socket}"
            told.assert_only(
                "nginx_socket", f"The user {NGINX_USER} may not write to {chain.http_socket} (mode 0660", command
            )
            assert "Set SocketGroup in syslog-pipeline-http.socket too" in str(told.find("nginx_socket")["why"])
            subprocess.run(["sh", "-c", command], check=True)
            assert chain.ask(**given).failing == set()
    finally:
        shutil.chown(chain.http_socket, group=status.st_gid)


def test_nginx_that_asks_another_socket(chain: Chain, open_folder: Path) -> None:
    """It answers 502, as nobody is there."""
    web = prepare_other(chain, open_folder, open_folder)
    with serving(web):
        told = chain.ask(nginx_config=web.folder / "nginx.conf", ca=web.ca_file)
    what = f"nginx passes requests to {open_folder}/metrics.sock"
    told.assert_only("nginx_socket", what, "nginx -t && systemctl reload nginx")


def test_server_between_nginx_and_the_daemon(chain: Chain, open_folder: Path) -> None:
    """As varnish is: nginx passes requests to another socket, and that is nothing wrong."""
    between = open_folder / "between"
    between.mkdir()
    web = prepare_other(chain, open_folder, open_folder)
    (between / "pass.conf").write_text(
        f"server {{ listen unix:{open_folder}/metrics.sock; listen 127.0.0.1:{(port := find_port())};"
        f" location / {{ proxy_pass http://unix:{chain.http_socket}; }} }}\n"
    )
    write_nginx_conf(between, "pass.conf", user=NGINX_USER)
    with serving(Web(between, port, web.authority)), serving(web):
        told = chain.ask(nginx_config=web.folder / "nginx.conf", ca=web.ca_file)
    assert told.failing == set()
    what = f"nginx passes requests to {open_folder}/metrics.sock, where a server other than ours listens"
    assert str(told.find("nginx_socket", "ok")["what"]).startswith(what)
    assert "answer" in told.list_checks("ok")


def test_client_certificate(chain: Chain, open_folder: Path) -> None:
    """Who shows none is refused, which is right; who shows one is served."""
    web = prepare_nginx(open_folder / "nginx")
    sign_server(web, days=30)
    render_nginx(web, chain.folder, "nginx/client-certificate.conf", user=NGINX_USER)
    given = {"nginx_config": web.folder / "nginx.conf", "ca": web.ca_file, "user": None, "password_file": None}
    with serving(web):
        refused = chain.ask(**given)
        shown = web.client_certificate
        served = chain.ask(**given, client_certificate=shown.file, client_key=shown.key)
    assert (refused.failing, served.failing) == (set(), set())
    assert "is refused without a client certificate, as it should be." in str(refused.find("answer", "ok")["what"])
    assert "is served to who knows the password or has the certificate." in str(served.find("answer", "ok")["what"])


@pytest.mark.parametrize(("days", "said"), [(-1, "is not valid at present"), (5, "expires in 5 days")])
def test_certificate_that_ends(chain: Chain, open_folder: Path, days: int, said: str) -> None:
    """One that has expired is a failure, one that is about to is worth a look."""
    web = prepare_other(chain, open_folder, days=days)
    with serving(web):
        told = chain.ask(nginx_config=web.folder / "nginx.conf", ca=web.ca_file)
    assert told.failing == ({"nginx"} if days < 0 else set())
    found = told.find("nginx", "failure" if days < 0 else "warning")
    assert said in str(found["what"])
    assert f"openssl s_client -connect 127.0.0.1:{web.port} </dev/null" in str(found["mend"])


def test_certificate_of_another_authority(chain: Chain, tmp_path: Path) -> None:
    """Prometheus would refuse it."""
    web = prepare_nginx(tmp_path / "nginx")
    told = chain.ask(ca=web.ca_file)
    told.assert_only(
        "nginx",
        f"The certificate of {chain.web.url.replace('localhost', '127.0.0.1')} is not signed by",
        f"editor {web.ca_file}",
    )


def test_wrong_password(chain: Chain, tmp_path: Path) -> None:
    """All is well but for what was given."""
    (tmp_path / "password").write_text("wrong\n")
    told = chain.ask(password_file=tmp_path / "password")
    told.assert_only("answer", "https://", "nginx -T | grep auth_basic_user_file")
    assert "the user or the password is wrong" in str(told.find("answer")["what"])


def test_nginx_that_is_not_for_us(chain: Chain, tmp_path: Path) -> None:
    """Where nginx has no part of ours, that is no failure, unless --url says that it should."""
    config = tmp_path / "nginx.conf"
    config.write_text("events {}\nhttp { server { listen 80; } }\n")
    told = chain.ask(nginx_config=config)
    assert told.failing == set()
    assert {"nginx_socket", "nginx", "answer"} <= told.list_checks("not checked")
    told = chain.ask(nginx_config=config, url=chain.web.url)
    told.assert_only("nginx_socket", f"Nothing in {config}", "syslog-pipeline setup --install --nginx basic-auth")
