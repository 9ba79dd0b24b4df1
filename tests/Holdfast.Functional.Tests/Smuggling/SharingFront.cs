using System.Net;
using Holdfast.Functional.Tests.Admission;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>
/// Proxies that keep a few connections to the gateway and share them among all their clients, as lax as they can be told to be. Each request that one of them forwards gets a
/// header that says which request it is: what reaches an endpoint without it, or with another's, was made of bytes between the two.
/// </summary>
internal static class SharingFront
{
    /// <summary>A number of its own, the method, and the target as the proxy saw it.</summary>
    public const string Header = "X-Front";

    public static Task<FrontProxy> StartNginxAsync(IPEndPoint gateway) => FrontProxy.StartAsync(
        "nginx",
        proxy => ["-p", proxy.Folder, "-c", Path.Combine(proxy.Folder, "front.conf")],
        proxy => $$"""
            daemon off;
            master_process off;
            pid {{proxy.Folder}}/pid;
            error_log /dev/null crit;
            events { worker_connections 2048; }
            http {
              access_log off;
              client_body_temp_path {{proxy.Folder}}/body;
              proxy_temp_path {{proxy.Folder}}/proxy;
              fastcgi_temp_path {{proxy.Folder}}/fastcgi;
              uwsgi_temp_path {{proxy.Folder}}/uwsgi;
              scgi_temp_path {{proxy.Folder}}/scgi;
              client_header_buffer_size 64k;
              large_client_header_buffers 4 128k;
              client_header_timeout 1s;
              client_body_timeout 1s;
              lingering_timeout 1s;
              keepalive_timeout 2s;
              ignore_invalid_headers off;
              underscores_in_headers on;
              merge_slashes off;
              upstream gateway { server {{gateway}}; keepalive 4; }
              map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
              server {
                listen {{proxy.Address}};
                location / {
                  proxy_pass http://gateway;
                  proxy_http_version 1.1;
                  proxy_next_upstream off;
                  proxy_request_buffering off;
                  proxy_set_header Host $http_host;
                  proxy_set_header Upgrade $http_upgrade;
                  proxy_set_header Connection $connection_upgrade;
                  proxy_set_header {{Header}} "$request_id $request_method $request_uri";
                }
              }
            }
            """);

    public static Task<FrontProxy> StartHaproxyAsync(IPEndPoint gateway) => FrontProxy.StartAsync(
        "haproxy",
        proxy => ["-db", "-f", Path.Combine(proxy.Folder, "front.conf")],
        proxy => $"""
            global
              tune.bufsize 65536
              maxconn 2000
            defaults
              mode http
              timeout connect 60s
              timeout client 2s
              timeout http-request 1s
              timeout http-keep-alive 2s
              timeout server 60s
              timeout tunnel 2s
              retries 0
              option accept-invalid-http-request
              http-reuse always
            listen front
              bind {proxy.Address}
              http-request set-header {Header} "%[uuid] %[method] %[pathq]"
              server gateway {gateway} pool-max-conn 8

            """);
}
