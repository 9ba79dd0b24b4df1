using System.Net;
using Holdfast.Api.Yaml;
using Schema = Holdfast.Api.Configuration.Reading.ConfigurationSchema;

namespace Holdfast.Api.Configuration.Reading;

/// <summary>Fills the records from the document, section by section.</summary>
internal static class GatewayReader
{
    private static readonly ListenerOptions NoListener = new() { Name = "", Address = Placeholders.Address };
    private static readonly RouteOptions NoRoute = new() { Backends = [] };
    private static readonly NameValueMatch NoMatch = new("", "");
    private static readonly WeightedBackend NoBackend = new("");
    private static readonly AuthOptions NoAuth = new() { Url = Placeholders.Url };
    private static readonly DnsOptions NoDns = new() { Name = "", Port = 1 };

    public static GatewayConfiguration? Read(FaultCollector faults, YamlNode root) => SectionReader.Read(faults, root, "", Schema.Document, ReadDocument);

    private static GatewayConfiguration ReadDocument(SectionReader s) => new()
    {
        Listeners = s.Sections("listeners", Schema.Listener, ReadListener, NoListener, "[{name: web, address: 0.0.0.0:8080}]"),
        Admin = s.Section("admin", Schema.Admin, ReadAdmin, new AdminOptions()),
        Routes = s.Sections("routes", Schema.Route, ReadRoute, NoRoute, "[{path: {prefix: /ws}, backend: chat}]"),
        Backends = s.Named("backends", Schema.Backend, ReadBackend, NameOnly, "{chat: {endpoints: [127.0.0.1:9001]}}"),
        Shutdown = s.Section("shutdown", Schema.Shutdown, ReadShutdown, new ShutdownOptions()),
        BufferTotal = s.Optional("bufferTotal", ValueParsers.LargeSize, GatewayConfiguration.UsualBufferTotal),
    };

    private static ListenerOptions ReadListener(SectionReader s) => new()
    {
        Name = s.Required("name", ValueParsers.Text, "", "web"),
        Address = s.Required("address", ValueParsers.ListenAddress, Placeholders.Address, "0.0.0.0:8080"),
        Tls = TlsReader.ReadListener(s),
        ProxyProtocol = s.Optional("proxyProtocol", ValueParsers.Truth, false),
        Limits = s.Section("limits", Schema.ListenerLimits, ReadListenerLimits, new ListenerLimits()),
        TrustedProxies = s.List<IPNetwork>("trustedProxies", ValueParsers.Network, "[10.0.0.0/8]"),
    };

    private static ListenerLimits ReadListenerLimits(SectionReader s) => new() { Connections = s.Optional("connections", ValueParsers.Number, 0) };

    private static AdminOptions ReadAdmin(SectionReader s) => new()
    {
        Address = s.Optional("address", ValueParsers.ListenAddress, new AdminOptions().Address),
        Token = s.OptionalReference<string>("token", Secret),
        TokenFile = s.OptionalReference<string>("tokenFile", ValueParsers.Text),
    };

    private static RouteOptions ReadRoute(SectionReader s)
    {
        var filters = FilterReader.Read(s);
        return new RouteOptions
        {
            Listeners = s.List<string>("listeners", ValueParsers.Any, "[web]"),
            Hosts = s.List<string>("hosts", ValueParsers.Host, "[chat.example.com]"),
            Path = s.Section("path", Schema.Path, ReadPath, PathMatch.Any),
            Headers = s.Sections("headers", Schema.Header, ReadMatch, NoMatch, "[{name: x-canary, value: always}]"),
            Query = s.Sections("query", Schema.Query, ReadMatch, NoMatch, "[{name: version, value: \"2\"}]"),
            Methods = s.List<string>("methods", ValueParsers.Text, "[GET]"),
            Origins = s.List<string>("origins", ValueParsers.Any, "[https://app.example.com]", nullIsText: true),
            Filters = filters,
            Timeouts = s.Section("timeouts", Schema.Timeouts, ReadTimeouts, new RouteTimeouts()),
            Backends = ReadRouteBackends(s, filters.Redirect is not null),
        };
    }

    private static PathMatch ReadPath(SectionReader s)
    {
        var prefix = s.OptionalReference<string>("prefix", ValueParsers.Any);
        var exact = s.OptionalReference<string>("exact", ValueParsers.Any);
        if (s.Has("prefix") == s.Has("exact"))
            s.Add("needs either prefix or exact; write for example {prefix: /ws}");
        return exact is not null ? new PathMatch(PathMatchKind.Exact, exact) : new PathMatch(PathMatchKind.Prefix, prefix ?? "/");
    }

    private static NameValueMatch ReadMatch(SectionReader s) =>
        new(s.Required("name", ValueParsers.Text, "", "x-canary"), s.Required("value", ValueParsers.Any, "", "always"));

    private static RouteTimeouts ReadTimeouts(SectionReader s)
    {
        var usual = new RouteTimeouts();
        return new RouteTimeouts
        {
            Request = s.Optional("request", ValueParsers.Duration, usual.Request),
            Connect = s.Optional("connect", ValueParsers.Duration, usual.Connect),
            Handshake = s.Optional("handshake", ValueParsers.Duration, usual.Handshake),
        };
    }

    private static List<WeightedBackend> ReadRouteBackends(SectionReader s, bool redirects)
    {
        var single = s.OptionalReference<string>("backend", ValueParsers.Text);
        var several = s.Sections("backends", Schema.WeightedBackend, ReadWeightedBackend, NoBackend, "[{name: chat, weight: 90}, {name: chat-next, weight: 10}]");
        if (s.Has("backend") && s.Has("backends"))
            s.Damage("backends", "a route has either backend or backends; remove one");
        else if (!redirects && !s.Has("backend") && !s.Has("backends"))
            s.Damage("backend", "is required; write for example `backend: chat`");
        if (single is null)
        {
            if (!s.Has("backends"))
                s.Suspect("backends");
            return several;
        }

        s.ShowAs(s.KeyOf("backends"), "backend");
        s.ShowAs(s.KeyOf("backends[0].name"), "backend");
        return [new WeightedBackend(single)];
    }

    private static WeightedBackend ReadWeightedBackend(SectionReader s) =>
        new(s.Required("name", ValueParsers.Text, "", "chat"), s.Optional("weight", ValueParsers.Number, 1));

    private static BackendOptions ReadBackend(string name, SectionReader s)
    {
        var usual = NameOnly(name);
        if (s.Has("endpoints") && s.Has("dns"))
            s.Damage("dns", "a backend has either endpoints or dns; remove one");
        else if (!s.Has("endpoints") && !s.Has("dns"))
            s.Damage("endpoints", "is required (or dns); write for example `endpoints: [127.0.0.1:9001]`");
        return new BackendOptions
        {
            Name = name,
            Endpoints = s.List<EndpointAddress>("endpoints", ValueParsers.Endpoint, "[127.0.0.1:9001]"),
            Tls = TlsReader.ReadBackend(s),
            Dns = s.Has("dns") ? s.Section("dns", Schema.Dns, ReadDns, NoDns) : null,
            LoadBalancing = s.Optional("loadBalancing", ValueParsers.Policy, usual.LoadBalancing),
            SlowStart = s.Optional("slowStart", ValueParsers.Duration, usual.SlowStart),
            BoundedLoad = s.Optional("boundedLoad", ValueParsers.Decimal, usual.BoundedLoad),
            Affinity = s.Section("affinity", AdmissionSchema.Affinity, AdmissionReader.ReadAffinity, usual.Affinity),
            Limits = s.Section("limits", AdmissionSchema.Limits, AdmissionReader.ReadLimits, usual.Limits),
            Handshakes = s.Section("handshakes", AdmissionSchema.Handshakes, AdmissionReader.ReadHandshakes, usual.Handshakes),
            Health = s.Section("health", Schema.Health, ReadHealth, usual.Health),
            KeepAlive = s.Section("keepAlive", Schema.KeepAlive, ReadKeepAlive, usual.KeepAlive),
            Drain = s.Section("drain", Schema.Drain, ReadDrain, usual.Drain),
            Hold = s.Section("hold", Schema.Hold, HoldReader.Read, usual.Hold),
            Spill = s.Optional("spill", ValueParsers.Size, usual.Spill),
            Auth = s.Has("auth") ? s.Section("auth", AdmissionSchema.Auth, AdmissionReader.ReadAuth, NoAuth) : null,
        };
    }

    private static DnsOptions ReadDns(SectionReader s) => new()
    {
        Name = s.Required("name", ValueParsers.DnsName, "", "chat.default.svc"),
        Port = s.Required("port", ValueParsers.Number, 1, "8080"),
        Interval = s.Optional("interval", ValueParsers.Duration, NoDns.Interval),
        Grace = s.Optional("grace", ValueParsers.Duration, NoDns.Grace),
    };

    private static HealthOptions ReadHealth(SectionReader s)
    {
        var usual = new HealthOptions();
        return new HealthOptions { Eject = s.Section("eject", Schema.Eject, ReadEject, usual.Eject), Check = ReadCheck(s) };
    }

    private static EjectOptions ReadEject(SectionReader s)
    {
        var usual = new EjectOptions();
        return new EjectOptions
        {
            AfterFailures = s.Optional("afterFailures", ValueParsers.Number, usual.AfterFailures),
            For = s.Optional("for", ValueParsers.Duration, usual.For),
            MaxPercent = s.Optional("maxPercent", ValueParsers.Number, usual.MaxPercent),
        };
    }

    private static HealthCheckOptions? ReadCheck(SectionReader s)
    {
        var http = s.Has("http") ? s.Section("http", Schema.HttpCheck, ReadCheckPath, "/") : null;
        var tcp = s.Has("tcp") ? s.Section("tcp", Schema.TcpCheck, static _ => "", "") : null;
        var webSocket = s.Has("websocket") ? s.Section("websocket", Schema.WebSocketCheck, ReadCheckPath, "/") : null;
        var usual = new HealthCheckOptions(HealthCheckKind.Tcp, "");
        var (interval, timeout) = (s.Optional("interval", ValueParsers.Duration, usual.Interval), s.Optional("timeout", ValueParsers.Duration, usual.Timeout));
        var unhealthyAfter = s.Optional("unhealthyAfter", ValueParsers.Number, usual.UnhealthyAfter);
        var healthyAfter = s.Optional("healthyAfter", ValueParsers.Number, usual.HealthyAfter);
        string[] given = [.. ((string[])["http", "tcp", "websocket"]).Where(s.Has)];
        if (given.Length > 1)
            s.Damage(given[1], "a backend is checked in one way: http, tcp or websocket; remove the others");
        if (given.Length == 0)
        {
            string[] orphans = [.. ((string[])["interval", "timeout", "unhealthyAfter", "healthyAfter"]).Where(s.Has)];
            if (orphans.Length > 0)
                s.Damage(orphans[0], "without http, tcp or websocket there is no active check for it; write for example `http: {path: /healthz}` beside it");
            return null;
        }

        var (kind, path) = http is not null ? (HealthCheckKind.Http, http) : webSocket is not null ? (HealthCheckKind.WebSocket, webSocket) : (HealthCheckKind.Tcp, "");
        return new HealthCheckOptions(kind, path)
        {
            Interval = interval,
            Timeout = timeout,
            UnhealthyAfter = unhealthyAfter,
            HealthyAfter = healthyAfter,
        };
    }

    private static string ReadCheckPath(SectionReader s) => s.Required("path", ValueParsers.Any, "/", "/healthz");

    private static DrainOptions ReadDrain(SectionReader s)
    {
        var usual = new DrainOptions();
        return new DrainOptions
        {
            Delay = s.Optional("delay", ValueParsers.Duration, usual.Delay),
            Duration = s.Optional("duration", ValueParsers.Duration, usual.Duration),
            CloseCode = s.Optional("closeCode", ValueParsers.Number, usual.CloseCode),
        };
    }

    private static KeepAliveOptions ReadKeepAlive(SectionReader s)
    {
        var usual = new KeepAliveOptions();
        return new KeepAliveOptions
        {
            PingInterval = s.Optional("pingInterval", ValueParsers.Duration, usual.PingInterval),
            PongTimeout = s.Optional("pongTimeout", ValueParsers.Duration, usual.PongTimeout),
            IdleTimeout = s.Optional("idleTimeout", ValueParsers.Duration, usual.IdleTimeout),
        };
    }

    private static ShutdownOptions ReadShutdown(SectionReader s)
    {
        var usual = new ShutdownOptions();
        return new ShutdownOptions
        {
            Delay = s.Optional("delay", ValueParsers.Duration, usual.Delay),
            Duration = s.Optional("duration", ValueParsers.Duration, usual.Duration),
        };
    }

    private static BackendOptions NameOnly(string name) => new() { Name = name, Endpoints = [] };

    private static string? Secret(string text, out string value)
    {
        value = text;
        return null;
    }
}
