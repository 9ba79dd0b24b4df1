using Holdfast.Tests;
using Xunit;

namespace Holdfast.Manifests.Tests;

/// <summary>Compares a text with a file of the repository. With <c>UPDATE_SNAPSHOTS=1</c> the file is written instead, to be looked at in the diff.</summary>
internal static class Snapshot
{
    public static void Verify(string actual, params string[] path)
    {
        var file = Path.Combine([Repository.Root, .. path]);
        if (Environment.GetEnvironmentVariable("UPDATE_SNAPSHOTS") == "1")
        {
            File.WriteAllText(file, actual);
            Assert.Skip($"{Path.GetRelativePath(Repository.Root, file)} written");
        }

        Assert.True(File.Exists(file), $"{file} is missing; run this test with UPDATE_SNAPSHOTS=1 to write it");
        Assert.Equal(File.ReadAllText(file), actual);
    }
}
