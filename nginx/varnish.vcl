# varnish: let several scrapers share one page of metrics.
#
# Copy this file to /etc/varnish/syslog-pipeline.vcl and run varnishd with it, as docs/nginx.md shows: with
# nginx or hitch before it for TLS and passwords, or on a loopback address. The group that varnishd runs as
# must be allowed to write to the socket of syslog-pipeline.

vcl 4.1;

backend syslog_pipeline {
    .path = "/run/syslog-pipeline/metrics.sock";
    .connect_timeout = 2s;
    .first_byte_timeout = 30s;
    .between_bytes_timeout = 30s;
}

sub vcl_recv {
    if (req.method != "GET" && req.method != "HEAD") {
        return (synth(405));
    }

    # These pages and no others.
    if (req.url !~ "^/(metrics|-/healthy|-/ready)(\?|$)") {
        return (synth(404));
    }

    # A page is the same for everybody.
    unset req.http.Cookie;
    unset req.http.Authorization;

    # Health is that of now.
    if (req.url ~ "^/-/") {
        return (pass);
    }
    return (hash);
}

sub vcl_backend_response {
    # syslog-pipeline lets nobody keep a page. Here it is kept for a second: who comes meanwhile gets the same one,
    # and who comes while it is made waits for it. It is never served beyond that, also when syslog-pipeline is
    # away: to Prometheus, values that stand still would look as if all were well.
    unset beresp.http.Set-Cookie;
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    set beresp.ttl = 0s;
    if (beresp.status == 200) {
        set beresp.ttl = 1s;
    }
    return (deliver);
}

sub vcl_deliver {
    unset resp.http.Via;
    unset resp.http.X-Varnish;
}
