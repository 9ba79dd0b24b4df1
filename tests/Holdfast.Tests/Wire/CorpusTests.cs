using Holdfast.Fuzz;
using Xunit;

namespace Holdfast.Tests.Wire;

/// <summary>Every fuzz target over its whole corpus and some thousands of mutants, so that targets and corpus cannot rot.</summary>
public sealed class CorpusTests
{
    private const int Mutants = 4000;

    public static TheoryData<string> Targets => [.. FuzzTargets.All.Keys];

    [Theory]
    [MemberData(nameof(Targets))]
    public void The_corpus_passes(string name)
    {
        IReadOnlyList<byte[]> corpus = Corpus.Load(name);
        Assert.NotEmpty(corpus);
        foreach (byte[] input in corpus)
            Run(name, input);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Thousands_of_seeded_mutants_pass(string name)
    {
        IReadOnlyList<byte[]> corpus = Corpus.Load(name);
        var random = new Random(6455);
        var mutator = new Mutator(random);
        for (int i = 0; i < Mutants; i++)
            Run(name, mutator.Mutate(corpus[random.Next(corpus.Count)], corpus));
    }

    [Fact]
    public void Every_corpus_folder_has_a_target()
    {
        string corpus = Path.GetDirectoryName(Corpus.FolderOf("any"))!;
        IEnumerable<string?> folders = Directory.EnumerateDirectories(corpus).Select(Path.GetFileName).Order(StringComparer.Ordinal);
        Assert.Equal(string.Join(" ", FuzzTargets.All.Keys), string.Join(" ", folders));
    }

    private static void Run(string name, byte[] input)
    {
        try
        {
            FuzzTargets.All[name](input);
        }
        catch (Exception failure)
        {
            Assert.Fail($"{failure.GetType().Name}: {failure.Message} on base64 {Convert.ToBase64String(input)}");
        }
    }
}
