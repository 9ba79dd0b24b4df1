using System.Globalization;
using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>Who is asked about handshakes, and what passes to and from it. A URL is never shown in a message: it may hold a password.</summary>
internal static class AuthValidator
{
    private const int MostInFlight = 10_000;
    private const int MostHeaders = 64;
    private const int LongestUrl = 2048;

    public static void Validate(AuthOptions auth, string key, FaultCollector faults)
    {
        if (FaultOf(auth.Url) is { } fault)
            faults.Invalid(key + ".url", fault);
        ValidateNames(auth.ForwardHeaders, key + ".forwardHeaders", HeaderNames.FaultOfForwarded, faults);
        ValidateNames(auth.CopyHeaders, key + ".copyHeaders", HeaderNames.FaultOfCopied, faults);
        if (auth.Timeout <= TimeSpan.Zero)
            faults.Invalid(key + ".timeout", "0s would refuse every handshake; write for example 2s");
        if (auth.MaxInFlight is < 1 or > MostInFlight)
            faults.Invalid(key + ".maxInFlight", string.Create(CultureInfo.InvariantCulture, $"{auth.MaxInFlight} is not from 1 to {MostInFlight}; write for example 64"));
    }

    private static string? FaultOf(Uri url)
    {
        const string Example = "; write for example http://auth.default.svc/verify";
        if (!url.IsAbsoluteUri || url.Scheme is not ("http" or "https"))
            return "is neither http nor https" + Example;
        if (url.UserInfo.Length > 0)
            return "must not hold a user or password, which would end up in logs" + Example;
        if (url.Fragment.Length > 0 || url.OriginalString.Contains('#', StringComparison.Ordinal))
            return "must not have a fragment ('#'), which is never sent" + Example;
        if (url.OriginalString.Length > LongestUrl)
            return string.Create(CultureInfo.InvariantCulture, $"has {url.OriginalString.Length} characters; at most {LongestUrl} are allowed");
        if (url.Port == 0 || url.HostNameType is UriHostNameType.Unknown or UriHostNameType.Basic
            || (url.HostNameType == UriHostNameType.Dns && !Syntax.IsDnsName(url.IdnHost.ToLowerInvariant())))
            return "has no valid host and port" + Example;
        return null;
    }

    private static void ValidateNames(IReadOnlyList<string> names, string key, Func<string, string?> faultOf, FaultCollector faults)
    {
        if (names.Count > MostHeaders)
        {
            faults.Invalid(key, string.Create(CultureInfo.InvariantCulture, $"has {names.Count} entries; at most {MostHeaders} are allowed"));
            return;
        }

        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < names.Count; i++)
        {
            var item = string.Create(CultureInfo.InvariantCulture, $"{key}[{i}]");
            if (faultOf(names[i]) is { } fault)
                faults.Invalid(item, fault);
            else if (!seen.Add(names[i]))
                faults.Invalid(item, $"{Printable.Quote(names[i])} is listed twice; remove one");
        }
    }
}
