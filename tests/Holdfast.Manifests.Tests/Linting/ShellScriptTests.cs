using Holdfast.Manifests.Linting.Rules.Pods;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

public class ShellScriptTests
{
    [Theory]
    [InlineData("node server.js", false)]
    [InlineData("a && b || c; d", false)]
    [InlineData("server >out 2>&1", false)]
    [InlineData("server &>out", false)]
    [InlineData("echo 'a | b' \"c & d\" `e | f` $(g | h)", false)]
    [InlineData("echo a\\|b", false)]
    [InlineData("server | tee log", true)]
    [InlineData("server |& tee log", true)]
    [InlineData("proxy & server", true)]
    [InlineData("server &", true)]
    [InlineData("(a)) | (b", true)]
    [InlineData("'", false)]
    [InlineData("\\", false)]
    [InlineData("", false)]
    public void Pipelines_and_jobs_are_seen(string script, bool has) => Assert.Equal(has, ShellScript.HasPipelineOrJob(script));

    [Theory]
    [InlineData("exec node server.js", true)]
    [InlineData("cd /app; exec node", true)]
    [InlineData("cd /app && exec node", true)]
    [InlineData("set -e\nexec node", true)]
    [InlineData("NODE_ENV=production exec node", true)]
    [InlineData("if x; then exec a; else exec b; fi", true)]
    [InlineData("trap 'kill 0' TERM; server & wait", true)]
    [InlineData("(exec a)", false)]
    [InlineData("bundle exec puma", false)]
    [InlineData("npm exec -- server", false)]
    [InlineData("server", false)]
    [InlineData("", false)]
    public void A_shell_that_makes_way_is_seen(string script, bool does) => Assert.Equal(does, ShellScript.HandsSignalsOn(script));

    [Fact]
    public void Words_are_seen_in_quotes_and_substitutions_too() =>
        Assert.Equal(["while", "lsof", "-t", "wc", "-l", "-gt", "0", "do", "sleep", "1", "done"], ShellScript.Words("while [ \"$(lsof -t | wc -l)\" -gt 0 ]; do sleep 1; done"));
}
