using System.Globalization;
using System.Net;
using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>The admin API can close every connection, so off loopback it needs a token. A token is never shown in a message.</summary>
internal static class AdminValidator
{
    /// <summary>Shorter ones can be guessed over the network.</summary>
    public const int ShortestToken = 16;

    public static void Validate(AdminOptions admin, FaultCollector faults)
    {
        if (admin.Token is { } token)
        {
            if (token.Length < ShortestToken)
                faults.Invalid("admin.token",
                    string.Create(CultureInfo.InvariantCulture,
                        $"has {token.Length} characters; at least {ShortestToken} are needed, for example from `openssl rand -hex 16`"));
            else if (token.Length > 1024 || !Syntax.IsVisible(token))
                faults.Invalid("admin.token",
                    "must be at most 1024 visible ASCII characters without spaces, for example from `openssl rand -hex 16`");
            if (admin.TokenFile is not null)
                faults.Invalid("admin.tokenFile", "token and tokenFile exclude each other; remove one");
        }

        if (admin.Token is null && admin.TokenFile is null && !IPAddress.IsLoopback(admin.Address.Address)
            && !faults.IsDamaged("admin.token") && !faults.IsDamaged("admin.tokenFile"))
            faults.Invalid("admin.address",
                $"{admin.Address} is reachable from outside, so a token or tokenFile is required; "
                + $"or write 127.0.0.1:{admin.Address.Port.ToString(CultureInfo.InvariantCulture)}");
    }
}
