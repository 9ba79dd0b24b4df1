using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;
using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Output;
using Holdfast.Manifests.Linting.Reading;
using Holdfast.Manifests.Linting.Rules;
using Holdfast.Manifests.Linting.Settings;

namespace Holdfast.Manifests.Linting;

/// <summary>One run of <c>holdfast lint</c>: options in, a report on <paramref name="output"/>, faults of usage on <paramref name="error"/>.</summary>
public sealed class LintSession(LintOptions options, TextReader input, TextWriter output, TextWriter error)
{
    public LintOutcome Run()
    {
        try
        {
            return Answer();
        }
        catch (OutputException e)
        {
            error.WriteLine("the report cannot be written: " + e.Message);
            return LintOutcome.Failed;
        }
    }

    private LintOutcome Answer()
    {
        if (options.Explain is { } name)
            return Explain(name);
        var faults = new List<string>();
        var settings = ReadSettings(faults);
        faults.AddRange(options.WebSocket.Select(SettingsReader.ValidateName).OfType<string>().Select(f => "--websocket: " + f));
        if (options.Paths.Count == 0)
            faults.Add("name at least one file or folder, or - for what is piped in, for example: holdfast lint k8s/");
        if (options.Fix && options.Paths.Contains(SourceFinder.Piped, StringComparer.Ordinal))
            faults.Add("--fix writes files; what is piped in has none");
        var finder = new SourceFinder(input);
        // Nobody waits for piped input that will not be looked at.
        foreach (var path in options.Paths.Where(p => faults.Count == 0 || p != SourceFinder.Piped))
            finder.Add(path);
        faults.AddRange(finder.BadPaths);
        if (faults.Count > 0)
        {
            foreach (var fault in faults)
                error.WriteLine(fault);
            return LintOutcome.BadUsage;
        }

        settings = settings with { WebSocket = [.. settings.WebSocket, .. options.WebSocket] };
        return options.Fix ? Fix(finder, settings) : Report(Add(Linter.Lint(finder.Sources, settings), finder), "");
    }

    private LintOutcome Explain(string name)
    {
        if (RuleCatalog.Find(name) is { } rule)
        {
            Print(RuleText.Explain(rule));
            return LintOutcome.Clean;
        }

        var near = KeySuggestion.Nearest(name, RuleCatalog.All.SelectMany(r => new[] { r.Id, r.Name }));
        error.WriteLine($"--explain: {Printable.Quote(name)} is not a rule; " + (near is null ? "docs/reference/lint-rules.md lists them" : $"did you mean {near}?"));
        return LintOutcome.BadUsage;
    }

    private LintSettings ReadSettings(List<string> faults)
    {
        var path = options.Config ?? (File.Exists(SettingsReader.DefaultFile) ? SettingsReader.DefaultFile : null);
        if (path is null)
            return LintSettings.Default;
        if (!File.Exists(path))
        {
            faults.Add($"{path}: there is no such file");
            return LintSettings.Default;
        }

        try
        {
            var (settings, found) = SettingsReader.Read(ReadText(path), path);
            faults.AddRange(found.Select(f => f.ToString()));
            return settings;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DecoderFallbackException)
        {
            faults.Add($"{path}: cannot be read: " + e switch { DecoderFallbackException => "it is not UTF-8 text", UnauthorizedAccessException => "no permission", _ => "the system refused" });
            return LintSettings.Default;
        }
    }

    /// <summary>To the reader's cap and no further: it refuses what is larger.</summary>
    private static string ReadText(string path)
    {
        using var stream = File.OpenRead(path);
        var bytes = new byte[ConfigurationReader.MaxFileBytes + 1];
        var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes, 0, length);
    }

    private LintOutcome Fix(SourceFinder finder, LintSettings settings)
    {
        var result = Fixer.Fix(finder.Sources, settings);
        foreach (var source in result.Changed)
        {
            try
            {
                File.WriteAllText(source.Name, source.Text);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                error.WriteLine($"{source.Name}: cannot be written: " + (e is UnauthorizedAccessException ? "no permission" : "the system refused"));
                return LintOutcome.Failed;
            }
        }

        result = result with { After = Add(result.After, finder) };
        return Report(result.After, options.Format == LintFormat.Text ? new TextOutput(options.Color).WriteFixed(result) : "");
    }

    private LintOutcome Report(LintResult result, string text)
    {
        Print(options.Format switch
        {
            LintFormat.Json => JsonOutput.Write(result),
            LintFormat.Sarif => SarifOutput.Write(result, options.Version),
            _ => text.Length > 0 ? text : new TextOutput(options.Color).Write(result),
        });
        if (options.FailOn is not { } least)
            return LintOutcome.Clean;
        return result.Findings.Any(f => f.Severity >= least) || result.Problems.Any(p => p.IsFault) ? LintOutcome.FaultsFound : LintOutcome.Clean;
    }

    /// <summary>A full disk or a closed descriptor is the user's to hear of; a reader that has seen enough is no error, and no exception either.</summary>
    private void Print(string text)
    {
        try
        {
            output.Write(text);
            output.Flush();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OutputException(e.InnerException?.Message ?? e.Message);
        }
    }

    private sealed class OutputException(string message) : Exception(message);

    private static LintResult Add(LintResult result, SourceFinder finder) => result with { Problems = [.. finder.Problems, .. result.Problems] };
}
