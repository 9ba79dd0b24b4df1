using System.Text.RegularExpressions;
using Holdfast.Api;
using Holdfast.Api.Configuration;
using Holdfast.Cli;
using Xunit;

namespace Holdfast.Tests.Docs;

/// <summary>What a reader follows or types: links lead somewhere, commands exist.</summary>
public partial class DocumentationTests
{
    public static TheoryData<string> Pages()
    {
        var pages = new TheoryData<string> { "README.md", "CONTRIBUTING.md", "bench/README.md", "samples/node/README.md" };
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            pages.Add(Path.GetRelativePath(Repository.Root, file));
        return pages;
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Relative_links_resolve_with_their_headings(string page)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Repository.Root, page))!;
        foreach (var link in Link().Matches(Fence().Replace(Repository.Read(page), "")).Select(m => m.Groups[1].Value))
        {
            if (Uri.TryCreate(link, UriKind.Absolute, out var absolute) && absolute.Scheme is "http" or "https")
                continue;
            var parts = link.Split('#', 2);
            var target = parts[0].Length == 0 ? Path.Combine(Repository.Root, page) : Path.GetFullPath(Path.Combine(folder, parts[0]));
            Assert.True(Path.Exists(target), $"{page}: {link} leads nowhere");
            Assert.True(target.StartsWith(Repository.Root, StringComparison.Ordinal), $"{page}: {link} leaves the repository");
            if (parts.Length == 2)
                Assert.Contains(parts[1], Heading().Matches(File.ReadAllText(target)).Select(m => Anchor(m.Groups[1].Value)));
        }
    }

    /// <summary>Every line of a code block, and every code span, that starts the tool is parsed by the tool's own parser.</summary>
    [Theory]
    [MemberData(nameof(Pages))]
    public void Commands_exist_and_take_the_options_shown(string page)
    {
        foreach (var line in Commands(Repository.Read(page)))
        {
            // Placeholders stand for values: N for a number, [--port 8080] for what may be left out.
            var words = Words().Matches(line.Replace("[", "", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal))
                .Select(m => m.Groups[1].Success ? m.Groups[1].Value : m.Value).ToArray();
            if (words.Length == 1)
            {
                Assert.Contains(words[0], Program.Root().Subcommands.Select(c => c.Name));
                continue;
            }

            var parsed = Program.Root().Parse(words);
            Assert.True(parsed.Errors.Count == 0, $"{page}: '{line}': {string.Join("; ", parsed.Errors.Select(e => e.Message))}");
        }
    }

    /// <summary>Whole configurations are read as they stand. Backends shown alone: a listener and a route to each of them make one.</summary>
    [Theory]
    [MemberData(nameof(Pages))]
    public void Configuration_shown_is_what_the_reader_reads(string page)
    {
        foreach (var whole in Yaml().Matches(Repository.Read(page)).Select(m => m.Groups[1].Value).Where(y => y.StartsWith("listeners:\n", StringComparison.Ordinal)))
            Assert.True(ConfigurationReader.Read(whole, page) is { Configuration: not null, Faults: [] }, $"{page}:\n{string.Join('\n', ConfigurationReader.Read(whole, page).Faults)}");

        foreach (var shown in Yaml().Matches(Repository.Read(page)).Select(m => m.Groups[1].Value).Where(y => y.StartsWith("backends:\n", StringComparison.Ordinal)))
        {
            var routes = BackendName().Matches(shown).Select(m => $"  - {{path: {{prefix: /{m.Groups[1].Value}}}, backend: {m.Groups[1].Value}}}\n");
            var whole = "listeners:\n  - {name: web, address: 0.0.0.0:8080}\nroutes:\n" + string.Concat(routes) + shown;
            Assert.True(ConfigurationReader.Read(whole, page) is { Configuration: not null, Faults: [] }, $"{page}:\n{shown}\n{string.Join('\n', ConfigurationReader.Read(whole, page).Faults)}");
        }
    }

    [Fact]
    public void The_health_page_shows_the_defaults_that_are_in_force()
    {
        var page = Repository.Read("docs/health.md");
        var (eject, check) = (new EjectOptions(), new HealthCheckOptions(HealthCheckKind.Tcp, ""));
        Assert.Contains($"eject: {{afterFailures: {eject.AfterFailures}, for: {Units.Format(eject.For)}, maxPercent: {eject.MaxPercent}}}     # the defaults", page, StringComparison.Ordinal);
        foreach (var line in new[]
        {
            $"interval: {Units.Format(check.Interval)} ", $"timeout: {Units.Format(check.Timeout)} ", $"unhealthyAfter: {check.UnhealthyAfter} ", $"healthyAfter: {check.HealthyAfter} ",
        })
        {
            Assert.Contains(line, page, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_README_shows_how_to_start()
    {
        Assert.Contains("dev", Commands(Repository.Read("README.md")));
        Assert.All(Program.Root().Subcommands.Where(c => !c.Hidden), c => Assert.Contains($"`holdfast {c.Name}", Repository.Read("README.md"), StringComparison.Ordinal));
    }

    private static IEnumerable<string> Commands(string text) => Command().Matches(text).Select(m => m.Groups[1].Value.Trim());

    private static string Anchor(string heading) => NotInAnchor().Replace(heading.Trim().ToLowerInvariant(), "").Replace(' ', '-');

    [GeneratedRegex("""(?:\]\(|src=")([^)\s"]+)""")]
    private static partial Regex Link();

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"^```yaml\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Yaml();

    [GeneratedRegex(@"^  (\w+):$", RegexOptions.Multiline)]
    private static partial Regex BackendName();

    [GeneratedRegex(@"^#+ (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchor();

    // A line of a code block, or a code span; an output's line such as "holdfast: …" is neither.
    [GeneratedRegex(@"(?:^|`)(?:\./)?holdfast (\w[^`\r\n#]*)", RegexOptions.Multiline)]
    private static partial Regex Command();

    [GeneratedRegex(@"'([^']*)'|\S+")]
    private static partial Regex Words();
}
