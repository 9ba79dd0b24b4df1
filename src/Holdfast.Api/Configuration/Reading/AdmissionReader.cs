using Holdfast.Api.Yaml;
using Schema = Holdfast.Api.Configuration.Reading.AdmissionSchema;

namespace Holdfast.Api.Configuration.Reading;

/// <summary>Fills what may refuse or delay a handshake, and what picks its endpoint.</summary>
internal static class AdmissionReader
{
    private static readonly KeyLimit NoKeyLimit = new("", 0);

    public static AffinityOptions ReadAffinity(SectionReader s)
    {
        var cookie = s.Has("cookie") ? s.Section("cookie", Schema.Cookie, ReadCookie, new AffinityCookieOptions()) : null;
        var header = s.Has("header") ? s.Section("header", Schema.AffinityHeader, static h => h.Required("name", ValueParsers.Text, "", "x-session"), "") : null;
        var query = s.Has("query") ? s.Section("query", Schema.AffinityQuery, static q => q.Required("name", ValueParsers.Text, "", "session"), "") : null;
        var address = s.Has("clientAddress") ? s.Section("clientAddress", Schema.AffinityAddress, static _ => "", "") : null;
        string[] given = [.. ((string[])["cookie", "header", "query", "clientAddress"]).Where(s.Has)];
        if (given.Length > 1)
            s.Damage(given[1], "a client is known by one thing: cookie, header, query or clientAddress; remove the others");
        else if (given.Length == 0)
            s.Add("needs cookie, header, query or clientAddress; write for example {cookie: {}}, or remove it for none");
        return new AffinityOptions
        {
            Kind = cookie is not null ? AffinityKind.Cookie : header is not null ? AffinityKind.Header : query is not null ? AffinityKind.Query
                : address is not null ? AffinityKind.ClientAddress : AffinityKind.None,
            Name = cookie is not null ? "" : header ?? query ?? "",
            Cookie = cookie,
        };
    }

    public static BackendLimits ReadLimits(SectionReader s)
    {
        var usual = new BackendLimits();
        return new BackendLimits
        {
            ConnectionsPerEndpoint = s.Optional("connectionsPerEndpoint", ValueParsers.Number, usual.ConnectionsPerEndpoint),
            ConnectionsPerClientAddress = s.Optional("connectionsPerClientAddress", ValueParsers.Number, usual.ConnectionsPerClientAddress),
            ConnectionsPerKey = s.Has("connectionsPerKey") ? s.Section("connectionsPerKey", Schema.PerKey, ReadKeyLimit, NoKeyLimit) : null,
            MessageBytes = s.Optional("messageBytes", ValueParsers.Size, usual.MessageBytes),
            MessagesPerSecond = s.Optional("messagesPerSecond", ValueParsers.Number, usual.MessagesPerSecond),
        };
    }

    public static HandshakeOptions ReadHandshakes(SectionReader s)
    {
        var usual = new HandshakeOptions();
        return new HandshakeOptions
        {
            RatePerSecond = s.Optional("ratePerSecond", ValueParsers.Number, usual.RatePerSecond),
            Burst = s.Optional("burst", ValueParsers.Number, usual.Burst),
            InFlightPerEndpoint = s.Optional("inFlightPerEndpoint", ValueParsers.Number, usual.InFlightPerEndpoint),
            Queue = s.Optional("queue", ValueParsers.Number, usual.Queue),
            QueueTimeout = s.Optional("queueTimeout", ValueParsers.Duration, usual.QueueTimeout),
            FairByHeader = s.Has("fairBy") ? ReadFairBy(s) : null,
        };
    }

    public static AuthOptions ReadAuth(SectionReader s)
    {
        var usual = new AuthOptions { Url = Placeholders.Url };
        return new AuthOptions
        {
            Url = s.Required("url", ValueParsers.Url, Placeholders.Url, "http://auth.default.svc/verify"),
            ForwardHeaders = s.Has("forwardHeaders") ? s.List<string>("forwardHeaders", ValueParsers.Text, "[authorization, cookie]") : usual.ForwardHeaders,
            CopyHeaders = s.List<string>("copyHeaders", ValueParsers.Text, "[x-user]"),
            Timeout = s.Optional("timeout", ValueParsers.Duration, usual.Timeout),
            MaxInFlight = s.Optional("maxInFlight", ValueParsers.Number, usual.MaxInFlight),
        };
    }

    private static AffinityCookieOptions ReadCookie(SectionReader s)
    {
        var usual = new AffinityCookieOptions();
        return new AffinityCookieOptions
        {
            Name = s.Optional("name", ValueParsers.Text, usual.Name),
            Ttl = s.Optional("ttl", ValueParsers.Duration, usual.Ttl),
            SameSite = s.Optional("sameSite", ValueParsers.SameSite, usual.SameSite),
            Path = s.Optional("path", ValueParsers.Text, usual.Path),
            SecretFile = s.OptionalReference<string>("secretFile", ValueParsers.Text),
        };
    }

    private static KeyLimit ReadKeyLimit(SectionReader s) =>
        new(s.Required("header", ValueParsers.Text, "", "x-tenant"), s.Required("max", ValueParsers.Number, 0, "1000"));

    /// <summary>The one word, or a header.</summary>
    private static string? ReadFairBy(SectionReader s)
    {
        if (s.Find("fairBy") is { Kind: YamlKind.Scalar, IsNull: false })
        {
            _ = s.Optional("fairBy", static (string text, out string value) =>
            {
                value = text;
                return text is "clientAddress" ? null : $"{Printable.Quote(text)} is no key to take turns by; write clientAddress, or a header: {Schema.FairBy.Example}";
            }, "");
            return null;
        }

        return s.Section("fairBy", Schema.FairBy, static h => h.Required("header", ValueParsers.Text, "", "x-tenant"), "");
    }
}
