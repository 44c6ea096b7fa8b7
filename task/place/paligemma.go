package place

import (
	"strconv"
	"strings"

	"fovea/tokenizer"
)

// PaliGemma reads "<loc0100><loc0200><loc0700><loc0900> cat ; <loc…>… dog": top, left, bottom and right of each thing in
// thousandths (0 … 1023) of the picture, then what it is. Pieces <seg…> of an outline may stand between. The score is the
// geometric mean of the chances of the thing's pieces, 1 when these are not known; what is incomplete is left out. Boxes are pixels of a picture of
// w × h.
func PaliGemma(words tokenizer.Tokenizer, ids []int32, chances []float64, w, h int) (out []Region) {
	var places []float64
	var label []int32
	var m mean
	flush := func() {
		name := strings.TrimSpace(words.Decode(label, true))
		if len(places) == 4 && name != "" {
			wide, high := float64(w), float64(h)
			box := spanned(places[1]*wide, places[0]*high, places[3]*wide, places[2]*high).Clip(wide, high)
			if !box.Empty() {
				score := 1.
				if len(chances) == len(ids) {
					score = m.value()
				}
				out = append(out, Region{Label: name, Score: score, Box: box})
			}
		}
		places, label, m = nil, nil, mean{}
	}
	for i, id := range ids {
		piece := words.Piece(id)
		place, isPlace := numbered(piece, "<loc", 4)
		_, isSeg := numbered(piece, "<seg", 3)
		if strings.Trim(piece, " ▁") == ";" || isPlace && len(label) > 0 {
			flush()
		}
		switch {
		case isPlace:
			places = append(places, min(float64(place)/1023, 1))
		case isSeg || words.Special(id) || strings.Trim(piece, " ▁") == ";":
			continue
		default:
			label = append(label, id)
		}
		if i < len(chances) {
			m.add(chances[i])
		}
	}
	flush()
	return out
}

// numbered reads the number of a piece such as <loc0123>.
func numbered(piece, prefix string, digits int) (int, bool) {
	s, ok := strings.CutPrefix(piece, prefix)
	s, end := strings.CutSuffix(s, ">")
	if !ok || !end || len(s) != digits {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err == nil
}
