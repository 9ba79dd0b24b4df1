using Holdfast.Cli.Dev;

namespace Holdfast.Cli.Rehearse.Systems;

/// <summary>nginx, as its documentation says: the upstream's servers are in its file, and a change is a reload.</summary>
internal sealed class NginxSystem(SystemSetting setting) : PeerSystem("nginx", setting)
{
    private string Configuration => Path.Combine(Setting.Folder, "nginx.conf");

    protected override IReadOnlyList<string> Prepare(PeerNews news)
    {
        Write(news);
        return ["-p", Setting.Folder, "-c", Configuration];
    }

    /// <summary>A server that is leaving is left out: nginx has no other way to send it no new connections without ending those it has.</summary>
    protected override async Task ApplyAsync(PeerNews news)
    {
        Write(news);
        var said = new OutputTail();
        await using var reload = ChildProcess.Start(
            new ChildSpec(Program, ["-p", Setting.Folder, "-c", Configuration, "-s", "reload"], new Dictionary<string, string>(StringComparer.Ordinal)), said.Add, Setting.Time);
        if (await reload.Exited.WaitAsync(Stopping) is not 0 and var code)
            throw new RehearseException(string.Join('\n', (string[])[FormattableString.Invariant($"nginx -s reload ended with {code}"), .. said.Lines]));
    }

    private void Write(PeerNews news)
    {
        var text = Template("rehearse.nginx.conf")
            .Replace("{{port}}", Port, StringComparison.Ordinal)
            .Replace("{{prefix}}", Setting.Folder, StringComparison.Ordinal)
            .Replace("{{limit}}", Limit, StringComparison.Ordinal)
            .Replace("{{endpoints}}", string.Join("\n        ", news.Serving.Select(e => $"server {e};")), StringComparison.Ordinal);
        var next = Configuration + ".next";
        File.WriteAllText(next, text);
        File.Move(next, Configuration, overwrite: true);
    }
}
