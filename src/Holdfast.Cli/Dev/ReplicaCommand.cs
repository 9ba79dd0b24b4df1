using System.Buffers;
using System.Globalization;

namespace Holdfast.Cli.Dev;

/// <summary>Makes the command of one replica: the Showcase beside the tool, or the user's own application.</summary>
internal sealed class ReplicaCommand
{
    private static readonly SearchValues<char> ShellSyntax = SearchValues.Create(";&|()`\n{}!#");

    private readonly string _fileName;
    private readonly string[] _arguments;
    private readonly bool _isShowcase;

    private ReplicaCommand(string fileName, string[] arguments, bool isShowcase)
    {
        _fileName = fileName;
        _arguments = arguments;
        _isShowcase = isShowcase;
    }

    /// <summary>A shell command, which reads its port from <c>WEBSOCKET_PORT</c> or <c>PORT</c>.</summary>
    public static ReplicaCommand ForApp(string command) => new("/bin/sh", ["-c", ShellScript(command)], isShowcase: false);

    /// <summary>The Showcase, in the folder <c>showcase</c> beside the tool.</summary>
    /// <exception cref="FileNotFoundException">It is not there.</exception>
    public static ReplicaCommand ForShowcase(string toolDirectory, string dotnet)
    {
        var showcase = Path.Combine(toolDirectory, "showcase", "Showcase.dll");
        return File.Exists(showcase)
            ? new ReplicaCommand(dotnet, [showcase], isShowcase: true)
            : throw new FileNotFoundException($"the Showcase is missing ({showcase}); give an application with --app", showcase);
    }

    /// <param name="replica">Its name.</param>
    /// <param name="port">Where it is to listen.</param>
    /// <param name="temporary">
    /// Where the Showcase keeps temporary files: a .NET process that is killed leaves its diagnostic sockets. The user's application keeps its own place.
    /// </param>
    public ChildSpec For(string replica, int port, string? temporary = null)
    {
        var text = port.ToString(CultureInfo.InvariantCulture);
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["WEBSOCKET_PORT"] = text,
            ["PORT"] = text,
            ["HOLDFAST_REPLICA"] = replica,
        };
        if (_isShowcase)
            environment["HOST"] = "127.0.0.1";
        if (_isShowcase && temporary is not null)
            environment["TMPDIR"] = temporary;
        return new ChildSpec(_fileName, _arguments, environment);
    }

    /// <summary>
    /// The application should be the group's leader itself, so that its end, not a shell's, is the replica's end. A command that needs the shell
    /// keeps it; that shell then outlives SIGTERM, so as not to end before the application has.
    /// </summary>
    internal static string ShellScript(string command)
    {
        var text = command.Trim();
        var firstWord = text.Split(' ', 2)[0];
        var simple = text.AsSpan().IndexOfAny(ShellSyntax) < 0 && !firstWord.Contains('=', StringComparison.Ordinal)
            && firstWord is not ("cd" or "exec" or "export" or "if" or "for" or "while" or "until" or "case" or "set" or "." or "eval");
        return simple ? "exec " + text : "trap : TERM\n" + text;
    }
}
