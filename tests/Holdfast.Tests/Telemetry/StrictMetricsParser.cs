using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Holdfast.Tests.Telemetry;

/// <summary>One sample, with its labels as written.</summary>
internal sealed record Sample(string Name, IReadOnlyList<KeyValuePair<string, string>> Labels, double Value)
{
    public string this[string label] => Labels.Single(l => l.Key == label).Value;

    public string LabelsBut(string label) => string.Join(',', Labels.Where(l => l.Key != label).Select(l => l.Key + "=" + l.Value));
}

internal sealed record Family(string Name, string Type, string? Unit, string Help, List<Sample> Samples);

/// <summary>Reads OpenMetrics 1.0 or Prometheus 0.0.4 and refuses what a lenient reader forgives.</summary>
internal static partial class StrictMetricsParser
{
    public static List<Family> Parse(string text, bool openMetrics)
    {
        Check(text.EndsWith('\n'), "no line feed at the end");
        Check(!text.Contains('\r', StringComparison.Ordinal), "a carriage return");
        var lines = text[..^1].Split('\n');
        if (openMetrics)
        {
            Check(lines[^1] == "# EOF", "the last line is no EOF");
            lines = lines[..^1];
        }

        var families = new List<Family>();
        string? name = null, type = null, unit = null, help = null;
        Family? current = null;
        foreach (var line in lines)
        {
            Check(line.Length > 0, "an empty line");
            if (line.StartsWith('#'))
            {
                var parts = line.Split(' ', 4);
                Check(parts.Length == 4 && parts[0] == "#", "a comment that is no metadata: " + line);
                if (parts[1] == "TYPE")
                {
                    (name, type, unit, help, current) = (parts[2], parts[3], null, null, null);
                    Check(Name().IsMatch(name), "a bad name: " + name);
                    Check(type is "gauge" or "counter" or "histogram", "a bad type: " + line);
                    continue;
                }

                Check(name == parts[2] && current is null, "metadata out of place: " + line);
                if (parts[1] == "UNIT")
                {
                    Check(openMetrics && unit is null && name!.EndsWith("_" + parts[3], StringComparison.Ordinal), "a bad unit: " + line);
                    unit = parts[3];
                }
                else
                {
                    Check(parts[1] == "HELP" && help is null, "a bad comment: " + line);
                    help = Unescape(parts[3], quotes: openMetrics);
                }

                continue;
            }

            if (current is null)
            {
                Check(name is not null && type is not null && help is not null, "a sample without metadata: " + line);
                var family = !openMetrics && type == "counter" ? name![..^"_total".Length] : name!;
                Check(openMetrics || type != "counter" || name!.EndsWith("_total", StringComparison.Ordinal), "a counter without _total");
                Check(families.All(f => f.Name != family), "a family twice: " + family);
                families.Add(current = new Family(family, type!, unit, help!, []));
            }

            var sample = ParseSample(line);
            var suffix = sample.Name.StartsWith(current.Name, StringComparison.Ordinal) ? sample.Name[current.Name.Length..] : "?";
            Check(current.Type switch
            {
                "counter" => suffix == "_total" && sample.Value >= 0,
                "histogram" => suffix is "_bucket" or "_sum" or "_count",
                _ => suffix.Length == 0,
            }, "a sample of another family: " + line);
            Check(current.Samples.All(s => s.Name != sample.Name || !s.Labels.SequenceEqual(sample.Labels)), "a series twice: " + line);
            current.Samples.Add(sample);
        }

        foreach (var family in families.Where(f => f.Type == "histogram"))
            CheckHistogram(family);
        return families;
    }

    private static void CheckHistogram(Family family)
    {
        foreach (var series in family.Samples.GroupBy(s => s.LabelsBut("le")))
        {
            var buckets = series.Where(s => s.Name.EndsWith("_bucket", StringComparison.Ordinal)).ToList();
            Check(buckets[^1]["le"] == "+Inf", "no +Inf bucket");
            Check(buckets.Select(b => Number(b["le"])).SequenceEqual(buckets.Select(b => Number(b["le"])).Order()), "buckets out of order");
            Check(buckets.Select(b => b.Value).SequenceEqual(buckets.Select(b => b.Value).Order()), "buckets that fall");
            Check(buckets.Take(buckets.Count - 1).All(b => b["le"].AsSpan().IndexOfAny('.', 'E') > 0), "a bound that is no float");
            Check(buckets[^1].Value.Equals(series.Single(s => s.Name.EndsWith("_count", StringComparison.Ordinal)).Value), "count and +Inf differ");
            Check(series.Count(s => s.Name.EndsWith("_sum", StringComparison.Ordinal)) == 1, "not one sum");
        }
    }

    private static Sample ParseSample(string line)
    {
        var match = Line().Match(line);
        Check(match.Success, "a bad line: " + line);
        var labels = new List<KeyValuePair<string, string>>();
        foreach (Match label in Label().Matches(match.Groups["labels"].Value))
            labels.Add(new(label.Groups["key"].Value, Unescape(label.Groups["text"].Value, quotes: true)));
        Check(labels.Select(l => l.Key).Distinct(StringComparer.Ordinal).Count() == labels.Count, "a label twice: " + line);
        return new Sample(match.Groups["name"].Value, labels, Number(match.Groups["value"].Value));
    }

    private static double Number(string text) => text switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        "NaN" => double.NaN,
        _ => double.Parse(text, NumberStyles.Float & ~NumberStyles.AllowLeadingWhite & ~NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture),
    };

    private static string Unescape(string text, bool quotes)
    {
        var result = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            Check(!quotes || text[i] != '"', "a quotation mark that is not escaped: " + text);
            if (text[i] != '\\')
            {
                result.Append(text[i]);
                continue;
            }

            Check(++i < text.Length && (text[i] is '\\' or 'n' || (quotes && text[i] == '"')), "a bad escape: " + text);
            result.Append(text[i] == 'n' ? '\n' : text[i]);
        }

        return result.ToString();
    }

    private static void Check(bool condition, string fault)
    {
        if (!condition)
            throw new FormatException(fault);
    }

    [GeneratedRegex("^[a-zA-Z_:][a-zA-Z0-9_:]*$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Name();

    [GeneratedRegex("""^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?<labels>([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\.)*")(,[a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\.)*")*)\})? (?<value>[^ ]+)$""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Line();

    [GeneratedRegex("(?<key>[a-zA-Z_][a-zA-Z0-9_]*)=\"(?<text>([^\"\\\\]|\\\\.)*)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Label();
}
