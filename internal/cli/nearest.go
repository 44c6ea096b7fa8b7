package cli

import (
	"slices"
	"strings"
)

// nearest is the candidate that a misspelled word most likely meant, or "" when none is near.
func nearest(word string, candidates []string) string {
	best, at := "", max(len(word)/3, 1)+1
	for _, c := range candidates {
		d := distance(strings.ToLower(word), strings.ToLower(c))
		if len(word) >= 3 && strings.HasPrefix(c, word) {
			d = 1
		}
		if d < at {
			best, at = c, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with a neighbour (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}

// didYouMean makes a hint of the nearest candidate; without a near one it lists them when they are few.
func didYouMean(word string, candidates []string, prefix string) string {
	if n := nearest(word, candidates); n != "" {
		return "did you mean " + prefix + n + "?"
	}
	if len(candidates) == 0 || len(candidates) > 12 {
		return ""
	}
	list := slices.Clone(candidates)
	for i := range list {
		list[i] = prefix + list[i]
	}
	if len(list) == 1 {
		return "there is " + list[0]
	}
	return "there are " + strings.Join(list, ", ")
}
