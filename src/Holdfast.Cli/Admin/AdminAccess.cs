using System.CommandLine;

namespace Holdfast.Cli.Admin;

/// <summary>The options of a command that speaks to a running gateway: <c>--admin URL</c> and <c>--token-file FILE</c>.</summary>
internal sealed class AdminAccess
{
    private const string DefaultAddress = "http://127.0.0.1:9090";

    /// <summary>A gateway answers from memory; whoever takes longer is in no state to.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    /// <summary>A token is at most 512 bytes.</summary>
    private const int MaxTokenFile = 4096;

    private readonly Option<string> _address = new("--admin")
    {
        Description = "The gateway's admin address.",
        DefaultValueFactory = _ => DefaultAddress,
        HelpName = "URL",
    };

    private readonly Option<string?> _tokenFile = new("--token-file")
    {
        Description = "A file that holds the admin token (the gateway's admin.token or admin.tokenFile).",
        HelpName = "FILE",
    };

    public AdminAccess() => _address.Validators.Add(result =>
    {
        if (!result.Errors.Any() && Parse(result.GetValueOrDefault<string>()) is null)
            result.AddError($"--admin '{string.Join(' ', result.Tokens)}': an address such as {DefaultAddress} is needed");
    });

    public void AddTo(Command command)
    {
        command.Options.Add(_address);
        command.Options.Add(_tokenFile);
    }

    /// <summary>Runs what speaks to the gateway and turns its failures into words and exit codes.</summary>
    public async Task<int> RunAsync(ParseResult parsed, Func<AdminClient, Task> run)
    {
        var error = parsed.InvocationConfiguration.Error;
        string? token = null;
        if (parsed.GetValue(_tokenFile) is { } file && !TryReadToken(file, out token, out var fault))
        {
            await error.WriteLineAsync($"holdfast: --token-file {file}: {fault}");
            return ExitCodes.BadUsage;
        }

        using var http = AdminClient.NewHttp(Timeout);
        try
        {
            await run(new AdminClient(http, Parse(parsed.GetValue(_address))!, token));
            return ExitCodes.Ok;
        }
        catch (AdminException e)
        {
            await error.WriteLineAsync("holdfast: " + e.Message);
            return ExitCodes.Failed;
        }
    }

    /// <summary>With or without a scheme; null: no address.</summary>
    internal static Uri? Parse(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return null;
        var url = text.Contains("://", StringComparison.Ordinal) ? text : "http://" + text;
        return Uri.TryCreate(url.TrimEnd('/') + "/", UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri is { Query: "", Fragment: "", UserInfo: "" } ? uri : null;
    }

    private static bool TryReadToken(string file, out string? token, out string? fault)
    {
        (token, fault) = (null, null);
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            var bytes = new byte[MaxTokenFile];
            var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            token = System.Text.Encoding.UTF8.GetString(bytes, 0, length).Trim();
            if (token.Length == 0 || token.Any(c => c is <= ' ' or > '~'))
                fault = "it holds no token: one line of visible characters is needed";
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            fault = "there is no such file";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fault = "it cannot be read";
        }

        return fault is null;
    }
}
