namespace Holdfast.Wire.Sessions.GraphQl;

/// <summary>
/// Finds which operation of an executable document runs (https://spec.graphql.org/draft/#sec-Document, lexing by section 2.1). Reads definitions, not what is in
/// their braces; a document that a server refuses may be given a kind here, which does no harm: the server's error ends the operation. One pass, no recursion.
/// </summary>
internal ref struct GraphQlDocument
{
    private readonly ReadOnlySpan<byte> _text;
    private int _at;
    private ReadOnlySpan<byte> _name;

    private GraphQlDocument(ReadOnlySpan<byte> text) => _text = text;

    private enum Token : byte
    {
        End,
        Name,
        String,
        Open,
        OpenBrace,
        Close,
        CloseBrace,
        Other,
        Error,
    }

    /// <param name="document">UTF-8.</param>
    /// <param name="operationName">Empty: none was given.</param>
    public static OperationKind KindOf(ReadOnlySpan<byte> document, ReadOnlySpan<byte> operationName) => new GraphQlDocument(document).Find(operationName);

    private OperationKind Find(ReadOnlySpan<byte> wanted)
    {
        var found = OperationKind.Unknown;
        while (true)
        {
            var token = Next();
            if (token == Token.String)
                token = Next(); // The description of a definition.
            if (token == Token.End)
                return found;
            if (!TryDefinition(token, out var kind, out var name))
                return OperationKind.Unknown;
            if (kind == OperationKind.Unknown || (!wanted.IsEmpty && !name.SequenceEqual(wanted)))
                continue;

            // Several without a name, or several of the same name: no server runs that, and if one does, it cannot be told which.
            if (found != OperationKind.Unknown)
                return OperationKind.Unknown;
            found = kind;
        }
    }

    /// <param name="kind">Unknown for a fragment.</param>
    private bool TryDefinition(Token first, out OperationKind kind, out ReadOnlySpan<byte> name)
    {
        kind = OperationKind.Unknown;
        name = default;
        if (first == Token.OpenBrace)
        {
            kind = OperationKind.Query;
            return TrySkipToEndOf();
        }

        if (first != Token.Name)
            return false;
        if (_name.SequenceEqual("query"u8))
            kind = OperationKind.Query;
        else if (_name.SequenceEqual("mutation"u8))
            kind = OperationKind.Mutation;
        else if (_name.SequenceEqual("subscription"u8))
            kind = OperationKind.Subscription;
        else if (!_name.SequenceEqual("fragment"u8))
            return false;

        // Name, variables and directives up to the selection; their own braces stand within parentheses.
        for (var isSecond = true; ; isSecond = false)
        {
            switch (Next())
            {
                case Token.Name when isSecond:
                    name = _name;
                    break;
                case Token.Name or Token.Other:
                    break;
                case Token.Open:
                    if (!TrySkipToEndOf())
                        return false;
                    break;
                case Token.OpenBrace:
                    return TrySkipToEndOf();
                default:
                    return false;
            }
        }
    }

    /// <summary>Behind an opening bracket: goes behind the one that closes it. Which kind closes which is the server's to judge.</summary>
    private bool TrySkipToEndOf()
    {
        var depth = 1;
        while (depth > 0)
        {
            switch (Next())
            {
                case Token.Open or Token.OpenBrace:
                    depth++;
                    break;
                case Token.Close or Token.CloseBrace:
                    depth--;
                    break;
                case Token.End or Token.Error:
                    return false;
                default:
                    break;
            }
        }

        return true;
    }

    private Token Next()
    {
        while (_at < _text.Length)
        {
            var b = _text[_at];
            switch (b)
            {
                case (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n' or (byte)',':
                    _at++;
                    break;
                case 0xEF when _text[_at..].StartsWith("\uFEFF"u8):
                    _at += 3;
                    break;
                case (byte)'#':
                    var end = _text[_at..].IndexOfAny((byte)'\r', (byte)'\n');
                    _at = end < 0 ? _text.Length : _at + end;
                    break;
                case (byte)'"':
                    return String();
                case (byte)'{':
                    _at++;
                    return Token.OpenBrace;
                case (byte)'}':
                    _at++;
                    return Token.CloseBrace;
                case (byte)'(' or (byte)'[':
                    _at++;
                    return Token.Open;
                case (byte)')' or (byte)']':
                    _at++;
                    return Token.Close;
                case (byte)'_' or (>= (byte)'a' and <= (byte)'z') or (>= (byte)'A' and <= (byte)'Z'):
                    var start = _at;
                    while (_at < _text.Length && (_text[_at] == '_' || char.IsAsciiLetterOrDigit((char)_text[_at])))
                        _at++;
                    _name = _text[start.._at];
                    return Token.Name;
                case (byte)'!' or (byte)'$' or (byte)'&' or (byte)'.' or (byte)':' or (byte)'=' or (byte)'@' or (byte)'|' or (byte)'-' or (byte)'+'
                    or (>= (byte)'0' and <= (byte)'9'):
                    _at++;
                    return Token.Other;
                default:
                    return Token.Error;
            }
        }

        return Token.End;
    }

    private Token String()
    {
        if (_text[_at..].StartsWith("\"\"\""u8))
            return BlockString();
        for (_at++; _at < _text.Length; _at++)
        {
            switch (_text[_at])
            {
                case (byte)'"':
                    _at++;
                    return Token.String;
                case (byte)'\\':
                    _at++;
                    break;
                case (byte)'\r' or (byte)'\n':
                    return Token.Error;
                default:
                    break;
            }
        }

        return Token.Error;
    }

    private Token BlockString()
    {
        _at += 3;
        while (true)
        {
            var end = _text[_at..].IndexOf("\"\"\""u8);
            if (end < 0)
            {
                _at = _text.Length;
                return Token.Error;
            }

            // \""" is the only escape there; a backslash before that one is text.
            var isEscaped = end > 0 && _text[_at + end - 1] == '\\';
            _at += end + 3;
            if (!isEscaped)
                return Token.String;
        }
    }
}
