import Base
import Testing

@testable import Wire

/// The public JSONTestSuite (Tests/Vectors/json/SOURCE.txt), every file.
struct JSONTestSuiteTests {
    private static let folder = VectorFolder("json/test_parsing")

    /// What we answer where RFC 8259 leaves the choice; docs/protocol/json.md says why. Every `i_` file is listed.
    private static let choices: [String: Bool] = [
        "i_number_double_huge_neg_exp.json": true,
        "i_number_pos_double_huge_exp.json": false,
        "i_number_real_underflow.json": true,
        "i_number_too_big_pos_int.json": true,
        "i_number_very_big_negative_int.json": true,
        "i_object_key_lone_2nd_surrogate.json": false,
        "i_string_1st_valid_surrogate_2nd_invalid.json": false,
        "i_string_UTF-16LE_with_BOM.json": false,
        "i_string_UTF-8_invalid_sequence.json": false,
        "i_string_UTF8_surrogate_U+D800.json": false,
        "i_string_incomplete_surrogate_and_escape_valid.json": false,
        "i_string_incomplete_surrogates_escape_valid.json": false,
        "i_string_invalid_lonely_surrogate.json": false,
        "i_string_invalid_surrogate.json": false,
        "i_string_invalid_utf-8.json": false,
        "i_string_inverted_surrogates_U+1D11E.json": false,
        "i_string_iso_latin_1.json": false,
        "i_string_lone_second_surrogate.json": false,
        "i_string_lone_utf8_continuation_byte.json": false,
        "i_string_not_in_unicode_range.json": false,
        "i_string_overlong_sequence_2_bytes.json": false,
        "i_string_overlong_sequence_6_bytes.json": false,
        "i_string_overlong_sequence_6_bytes_null.json": false,
        "i_string_truncated-utf-8.json": false,
        "i_string_utf16BE_no_BOM.json": false,
        "i_string_utf16LE_no_BOM.json": false,
        "i_structure_500_nested_arrays.json": false,
        "i_structure_UTF-8_BOM_empty_object.json": false,
    ]

    /// Valid JSON that we refuse: RFC 8259 §4 says that names *should* be unique and that what software does
    /// otherwise is unpredictable. Two readers of one request must not see two different values.
    private static let refusedAlthoughValid: Set<String> = [
        "y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json",
    ]

    @Test func `the suite is there`() { #expect(Self.folder.files.count > 200) }

    @Test(arguments: folder.files) func `each file has its verdict`(_ name: String) throws {
        let accepted = (try? JSONValue(parsing: Self.folder.bytes(of: name))) != nil
        switch name.prefix(2) {
        case "y_": #expect(accepted == !Self.refusedAlthoughValid.contains(name))
        case "n_": #expect(!accepted)
        default: #expect(accepted == Self.choices[name])
        }
    }

    @Test(arguments: folder.files.filter { $0.hasPrefix("y_") && !refusedAlthoughValid.contains($0) })
    func `what is read is written as the same value`(_ name: String) throws {
        let value = try JSONValue(parsing: Self.folder.bytes(of: name))
        #expect(try JSONValue(parsing: value.encoded) == value)
    }
}
