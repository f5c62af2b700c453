// "Did you mean …?"

enum Suggestion {
    /// Longer words are no slip of a finger; comparing is quadratic.
    private static let lengthMax = 96

    /// The candidate that differs by the fewest keystrokes, if it differs by few.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        guard !word.isEmpty, word.utf8.count <= lengthMax else { return nil }
        let tolerance = max(1, min(4, word.utf8.count / 3))
        let lowered = word.lowercased()
        var best: (word: String, distance: Int)?
        // Each letter that one has more is a keystroke: most candidates need no closer look.
        for candidate in candidates where abs(candidate.utf8.count - word.utf8.count) <= tolerance {
            let distance = distance(lowered, candidate.lowercased())
            if distance <= tolerance, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.word
    }

    /// The nearest key, also when the section was forgotten (`listen` for `server.listen`).
    static func nearestKey(to path: String, among keys: [String]) -> String? {
        if let near = nearest(to: path, among: keys) { return near }
        let last = nearest(to: String(path.lastName), among: keys.map { String($0.lastName) })
        return keys.first { $0.lastName == last ?? "" }
    }

    /// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other.
    static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                let replaced = last[column] + (left[row] == right[column] ? 0 : 1)
                var best = min(replaced, last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                current.append(best)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}

extension String {
    /// The part after the last dot.
    fileprivate var lastName: Substring { split(separator: ".").last ?? Substring(self) }
}
