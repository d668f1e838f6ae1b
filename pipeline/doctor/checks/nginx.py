"""nginx: its way to our socket, its certificate, and what it answers to a scrape."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import trio

from pipeline.doctor.commands import run_command
from pipeline.doctor.examination import Examination
from pipeline.doctor.findings import Finding, approve, fail, skip, warn
from pipeline.doctor.nginx_config import DEFAULT_CONFIG, NginxConfig, find_masters, read_nginx
from pipeline.doctor.processes import HOLDERS, read_process
from pipeline.doctor.rights import WRITE, Account, find_account, find_obstacle
from pipeline.doctor.scrape import Reach, fetch, try_connect
from pipeline.doctor.tls import EXPIRED, WRONG_NAME, inspect_certificate, make_context, make_trusting_context
from pipeline.errors import describe_os_error

WARNING_DAYS = 14
HTTPS_PORT = 443
RELOAD = "nginx -t && systemctl reload nginx"


def read_config(exam: Examination) -> NginxConfig | None:
    """Return nginx's configuration; None if there is none, or we may not read it."""
    sockets = [instance.unix_socket for instance in exam.site.instances]
    return read_nginx(exam.site.settings.nginx_config or DEFAULT_CONFIG, sockets)


def find_url(exam: Examination) -> str:
    """Return where nginx should answer; nothing if nginx is not for us."""
    config = read_config(exam)
    return exam.site.settings.url or (config.url if config else "")


def check_way(exam: Examination) -> Iterator[Finding]:
    """Whether nginx passes requests to our socket, and may."""
    config = read_config(exam)
    if config is None or config.snippet is None:
        if exam.site.settings.url and config is not None:
            yield fail(
                f"Nothing in {config.path}, or what it includes, is about us.",
                "nginx does not know where the metrics are.",
                "syslog-pipeline setup --install --nginx basic-auth",
                RELOAD,
            )
            return
        yield skip("nginx is not set up for us.", "syslog-pipeline setup --install --nginx basic-auth")
        return
    wrong = [path for instance in exam.site.instances if not config.passes_to(path := instance.unix_socket)]
    between = [path for path in config.sockets if wrong and is_served_by_another(exam, path)]
    if between:
        yield approve(
            f"nginx passes requests to {between[0]}, where a server other than ours listens, such as varnish."
        )
        return
    if wrong:
        named = ", ".join(map(str, config.sockets)) or "no socket"
        yield fail(
            f"nginx passes requests to {named}, but the daemon serves at {wrong[0]}.",
            "nginx answers 502.",
            f"sed -i 's|unix:{config.sockets[0]}|unix:{wrong[0]}|' {config.snippet}"
            if config.sockets
            else f"editor {config.snippet}",
            RELOAD,
        )
        return
    yield from check_rights(exam, config)


def is_served_by_another(exam: Examination, path: Path) -> bool:
    """Return whether a process that is neither our daemon, nor systemd for it, listens at a socket."""
    reach, pid = try_connect(path, socket.SOCK_STREAM, exam.seconds)
    process = read_process(pid)
    return reach is Reach.SERVED and process is not None and not process.is_ours and process.name not in HOLDERS


def check_rights(exam: Examination, config: NginxConfig) -> Iterator[Finding]:
    """Whether nginx's user may write to our socket."""
    account = find_worker(exam, config)
    if account is None:
        yield fail(
            f"There is no user {config.user}, whom {config.path} names.",
            "nginx does not start.",
            f"editor {config.path}",
        )
        return
    for instance in exam.site.instances:
        if not instance.unix_socket.exists():
            yield skip(f"There is no {instance.unix_socket}.")
        elif obstacle := find_obstacle(account, instance.unix_socket, WRITE):
            keep = exam.spell_group(instance, "-http", "unix_socket_group")
            restart = exam.spell_service("restart", "nginx")
            yield fail(obstacle.sentence, f"nginx answers 502. {keep}", *obstacle.mend, restart)
        else:
            yield approve(f"nginx, as {account.name}, may write to {instance.unix_socket}.")


def find_worker(exam: Examination, config: NginxConfig) -> Account | None:
    """Return the user of nginx's workers: as they run, else as the configuration has it."""
    masters = {master.pid for master in find_masters(config.path, exam.processes)}
    workers = [process for process in exam.processes if process.parent in masters and process.name == "nginx"]
    return workers[0].account if workers else find_account(config.user)


def check_certificate(exam: Examination) -> Iterator[Finding]:
    """Whether nginx runs, and shows a certificate that is valid and trusted."""
    url = find_url(exam)
    if not url:
        yield skip("There is no address to ask: give --url.")
        return
    settings = exam.site.settings
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or HTTPS_PORT
    server = parts.netloc if parts.port else f"{parts.netloc}:{HTTPS_PORT}"
    exam.show(f"Asking nginx at {url}")
    try:
        context = make_context(settings.ca, settings.client_certificate, settings.client_key)
    except OSError as error:
        yield fail(f"A file of --ca or --client_certificate cannot be used: {describe_os_error(error)}.")
        return
    try:
        found = inspect_certificate(host, port, context, exam.seconds)
    except (ConnectionRefusedError, TimeoutError, socket.gaierror) as error:
        yield tell_unreachable(exam, url, error)
        return
    except (ssl.SSLError, OSError) as error:
        yield fail(f"{url} does not speak TLS: {error}.", "Prometheus is told to use https.", "nginx -T | less")
        return
    if found.days_left is None or found.code == EXPIRED:
        yield fail(
            f"The certificate of {url} is not valid at present: it has expired, or its time has not come.",
            "Prometheus refuses it.",
            f"openssl s_client -connect {server} </dev/null | openssl x509 -noout -dates",
        )
        return
    if found.distrust:
        yield tell_distrust(url, found.distrust, found.code, settings.ca)
    if found.days_left < WARNING_DAYS:
        yield warn(
            f"The certificate of {url} expires in {found.days_left:.0f} days.",
            "Prometheus refuses it then.",
            f"openssl s_client -connect {server} </dev/null | openssl x509 -noout -dates",
        )
    elif not found.distrust:
        yield approve(f"The certificate of {url} is trusted, and valid for {found.days_left:.0f} more days.")


def tell_distrust(url: str, reason: str, code: int, ca: Path | None) -> Finding:
    """Say why a certificate is not trusted; without --ca it need not be by this machine."""
    if code in WRONG_NAME:
        return fail(
            f"The certificate of {url} is for another name: {reason}",
            "Prometheus refuses it, unless server_name is set in its tls_config.",
            "syslog-pipeline doctor --url https://NAME:PORT",
        )
    if ca is None:
        return warn(
            f"The certificate of {url} is not one that this machine trusts: {reason}.",
            "It may be signed by an authority of your own.",
            "syslog-pipeline doctor --ca FILE",
        )
    return fail(f"The certificate of {url} is not signed by {ca}: {reason}.", "Prometheus refuses it.", f"editor {ca}")


def tell_unreachable(exam: Examination, url: str, error: OSError) -> Finding:
    """Say why nobody listens: nginx does not run, or has not loaded our part."""
    config = read_config(exam)
    path = exam.site.settings.nginx_config or DEFAULT_CONFIG
    if isinstance(error, socket.gaierror):
        return fail(f"The name in {url} is not known here.", "", "syslog-pipeline doctor --url https://NAME:PORT")
    if not find_masters(path, exam.processes):
        outcome = run_command(["nginx", "-t", "-q", "-c", str(path)]) if path == DEFAULT_CONFIG else None
        if outcome and outcome.status:
            first = outcome.output.strip().splitlines()[0]
            return fail(f"nginx does not run, and finds a mistake: {first}", "", "nginx -t")
        return fail(
            f"nginx does not run: nobody listens at {url}.", "Nobody can scrape the metrics.", "systemctl start nginx"
        )
    if config is None or config.snippet is None:
        return fail(
            f"nginx runs, but nobody listens at {url}.",
            f"Nothing in {path} says so.",
            "syslog-pipeline setup --install",
            RELOAD,
        )
    return fail(
        f"nginx runs, but nobody listens at {url}.", f"It has not read {config.snippet} yet, or refused it.", RELOAD
    )


def check_answer(exam: Examination) -> Iterator[Finding]:
    """Whether nginx answers a scrape as it should."""
    url = find_url(exam)
    settings = exam.site.settings
    if not url:
        yield skip("There is no address to ask: give --url.")
        return
    number = exam.site.instances[0].number
    page = f"/instances/{number}/metrics" if number else "/metrics"
    auth = None
    if settings.user and settings.password_file:
        try:
            password = settings.password_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            yield fail(f"{settings.password_file} cannot be read: {describe_os_error(error)}.")
            return
        auth = httpx.BasicAuth(settings.user, password)
    context = make_trusting_context(settings.client_certificate, settings.client_key)
    client = httpx.AsyncClient(verify=context, base_url=url, auth=auth, trust_env=False)
    answer = trio.run(fetch, client, page, exam.seconds)
    if answer is None:
        yield fail(f"{url} has not answered within {exam.seconds:g} s.", "", exam.spell_service("restart", "nginx"))
        return
    yield judge_answer(f"{url}{page}", answer.status, has_credentials=bool(auth or settings.client_certificate))


def judge_answer(page: str, status: int, *, has_credentials: bool) -> Finding:
    """Return what the status of an answer means."""
    match status:
        case 200 if has_credentials:
            return approve(f"{page} is served to who knows the password or has the certificate.")
        case 200:
            return warn(
                f"{page} is served to anybody.",
                "Who reaches nginx may read the metrics.",
                "syslog-pipeline setup --install --nginx basic-auth",
            )
        case 401 | 400 if not has_credentials:
            wanted = "a password" if status == 401 else "a client certificate"
            return approve(f"{page} is refused without {wanted}, as it should be.")
        case 401:
            what = f"{page} is refused: the user or the password is wrong."
            return fail(what, "", "nginx -T | grep auth_basic_user_file")
        case 400:
            return fail(
                f"{page} is refused: the client certificate is not accepted.",
                "It must be signed by what ssl_client_certificate in nginx's configuration names.",
                "nginx -T | grep ssl_client_certificate",
            )
        case 502 | 504:
            return fail(
                f"{page} is answered with {status}: nginx cannot reach the daemon's socket.",
                "nginx's error log says why.",
                "tail /var/log/nginx/error.log",
            )
        case 403:
            return fail(f"{page} is refused to this machine (403).", "An allow or deny rule says so.", "nginx -T")
        case 404:
            return fail(
                f"{page} is not let through (404).",
                "Another server of nginx answers there, or its locations lack /metrics.",
                "nginx -T | grep -n -A3 location",
            )
        case _:
            return fail(f"{page} is answered with status {status}.", "", "tail /var/log/nginx/error.log")
