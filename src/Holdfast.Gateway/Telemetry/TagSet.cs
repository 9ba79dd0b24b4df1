using System.Diagnostics.CodeAnalysis;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace Holdfast.Gateway.Telemetry;

/// <summary>The tags of one series, in the order they were given.</summary>
internal readonly struct TagSet(Tag[] tags) : IEquatable<TagSet>
{
    private readonly Tag[] _tags = tags;

    public ReadOnlySpan<Tag> Tags => _tags;

    public bool Equals(TagSet other) => TagSetComparer.Equal(Tags, other.Tags);

    public override bool Equals(object? obj) => obj is TagSet other && Equals(other);

    public override int GetHashCode() => TagSetComparer.Hash(Tags);
}

/// <summary>Finds a series by the tags of a measurement without making an array of them.</summary>
internal sealed class TagSetComparer : IEqualityComparer<TagSet>, IAlternateEqualityComparer<ReadOnlySpan<Tag>, TagSet>
{
    public static readonly TagSetComparer Instance = new();

    public static bool Equal(ReadOnlySpan<Tag> a, ReadOnlySpan<Tag> b)
    {
        if (a.Length != b.Length)
            return false;
        for (var i = 0; i < a.Length; i++)
        {
            if (!string.Equals(a[i].Key, b[i].Key, StringComparison.Ordinal) || !Equals(a[i].Value, b[i].Value))
                return false;
        }

        return true;
    }

    public static int Hash(ReadOnlySpan<Tag> tags)
    {
        HashCode hash = default;
        foreach (var tag in tags)
        {
            hash.Add(tag.Key, StringComparer.Ordinal);
            hash.Add(tag.Value);
        }

        return hash.ToHashCode();
    }

    public bool Equals(TagSet x, TagSet y) => x.Equals(y);

    public int GetHashCode([DisallowNull] TagSet obj) => obj.GetHashCode();

    public bool Equals(ReadOnlySpan<Tag> alternate, TagSet other) => Equal(alternate, other.Tags);

    public int GetHashCode(ReadOnlySpan<Tag> alternate) => Hash(alternate);

    public TagSet Create(ReadOnlySpan<Tag> alternate) => new(alternate.ToArray());
}
