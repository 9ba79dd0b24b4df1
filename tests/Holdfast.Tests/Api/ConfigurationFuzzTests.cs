using System.Text;
using Holdfast.Api.Configuration;
using Xunit;

namespace Holdfast.Tests.Api;

public class ConfigurationFuzzTests
{
    private const int Rounds = 5_000;

    private static readonly string[] Fragments =
    [
        "\n", "\t", "  ", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "!!str ", "|\n", ">-\n", "'", "\"", "\\", "#", "---\n", "...\n", "? ", "%YAML 9.9\n",
        "~", "null", "0", "-1", "99999999999999999999", "1e9", "\0", "\r", "\u0085", "\u2028", "\uFEFF", "\uD800", "é", "\\x", "\\U00110000", "<<: *a", "<<", "@", "`", ",",
    ];

    [Fact]
    public void No_mutation_of_a_good_text_crashes_the_reader()
    {
        var good = Repository.Read("docs", "examples", "gateway.yaml");
        var valid = 0;
        for (var seed = 0; seed < Rounds; seed++)
        {
            var text = Mutate(good, new Random(seed));
            ConfigurationResult result;
            try
            {
                result = ConfigurationReader.Read(text, "f");
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"Seed {seed} crashes the reader: {e.Message}\n{text}", e);
            }

            Assert.True(result.Configuration is null == result.Faults.Count > 0, $"seed {seed}");
            Assert.All(result.Faults, f => Assert.True(f.Line <= text.Length + 2 && f.Message.Length is > 0 and < 1000, $"seed {seed}: {f}"));
            valid += result.Configuration is null ? 0 : 1;
        }

        // Some mutations only touch comments; if none or all were valid the mutator would test nothing.
        Assert.InRange(valid, Rounds / 100, Rounds / 2);
    }

    [Fact]
    public void A_text_cut_anywhere_is_read_or_refused()
    {
        var good = Repository.Read("docs", "examples", "gateway.yaml");
        for (var length = 0; length < good.Length; length++)
        {
            var result = ConfigurationReader.Read(good[..length], "f");
            Assert.True(result.Configuration is null == result.Faults.Count > 0);
        }
    }

    private static string Mutate(string text, Random random)
    {
        var result = new StringBuilder(text);
        for (var n = random.Next(1, 6); n > 0; n--)
        {
            var at = random.Next(result.Length);
            var length = Math.Min(random.Next(1, 40), result.Length - at);
            switch (random.Next(7))
            {
                case 0:
                    result.Remove(at, length);
                    break;
                case 1:
                    result.Insert(random.Next(result.Length), result.ToString(at, length));
                    break;
                case 2:
                    result.Insert(at, Fragments[random.Next(Fragments.Length)]);
                    break;
                case 3:
                    result[at] = (char)random.Next(32, 127);
                    break;
                case 4:
                    result.Remove(at, length).Insert(at, Fragments[random.Next(Fragments.Length)]);
                    break;
                case 5:
                    result[at] = (char)random.Next(0x10000);
                    break;
                default:
                    SwapLines(result, random);
                    break;
            }
        }

        return result.ToString();
    }

    private static void SwapLines(StringBuilder text, Random random)
    {
        var lines = text.ToString().Split('\n');
        var (a, b) = (random.Next(lines.Length), random.Next(lines.Length));
        (lines[a], lines[b]) = (lines[b], lines[a]);
        text.Clear().AppendJoin('\n', lines);
    }
}
