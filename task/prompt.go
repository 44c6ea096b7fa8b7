package task

import (
	"fovea/annotation"
)

// word is a piece of the vocabulary.
func word(id int32) Piece { return Piece{Kind: Word, ID: id} }

// words appends ids as pieces.
func words(ps []Piece, ids []int32) []Piece {
	for _, id := range ids {
		ps = append(ps, word(id))
	}
	return ps
}

// MaxGroup is the longest group in pieces; longer texts are cut.
const MaxGroup = 48

// ClassifyPrompt asks what the picture is: `<classify>`. The piece answers with a name.
func ClassifyPrompt(v *Vocabulary) Group {
	return Group{Task: Classify, Pieces: []Piece{word(v.Special(ClassifyPiece))}}
}

// PosePrompt asks where the joints of the person in box are: `<pose> y0 x0 y1 x1 joint…`. All pieces see each other, and
// every joint's name answers with its place in the same pass. box is in the model frame; joints are ids of names.
func PosePrompt(v *Vocabulary, box annotation.Box, joints []int32) Group {
	g := Group{Task: Pose, Pieces: []Piece{word(v.Special(PosePiece))}}
	for _, c := range []float64{box.Y0, box.X0, box.Y1, box.X1} {
		g.Pieces = append(g.Pieces, Piece{Kind: Coord, Coord: float32(min(max(c, 0), 1))})
	}
	for _, j := range joints {
		g.Pieces = append(g.Pieces, Piece{Kind: Name, ID: j})
	}
	return g
}

// PoseJoint is the index of the i-th joint's piece in a PosePrompt.
func PoseJoint(i int) int { return 5 + i }

// AskPrompt puts a question: `<ask> words… ?`. The last piece answers with the first word of the answer.
func AskPrompt(v *Vocabulary, question string) Group {
	g, _ := askPrompt(v, question)
	return g
}

// askPrompt also returns the index of the last piece of each word of the question.
func askPrompt(v *Vocabulary, question string) (Group, []int) {
	g := Group{Task: Ask, Causal: true, Pieces: []Piece{word(v.Special(AskPiece))}}
	var last []int
	ws := Split(question)
	if len(ws) == 0 || ws[len(ws)-1] != "?" {
		ws = append(ws, "?")
	}
	for i, w := range ws {
		ids := v.Word(w)
		if i < len(ws)-1 && len(g.Pieces)+len(ids) > MaxGroup-8 { // the question mark always fits
			continue
		}
		g.Pieces = words(g.Pieces, ids)
		last = append(last, len(g.Pieces)-1)
	}
	g.Prefix = len(g.Pieces)
	return g, last
}

// AskExample is a question with its answer, and the places that its words mention: `<ask> words… ? answer… `, each piece
// from the question mark on being taught its successor and the last one `<end>`.
func AskExample(v *Vocabulary, q annotation.Question, toModel func(x, y float64) (float64, float64)) Group {
	g, last := askPrompt(v, q.Text)
	for _, m := range q.Mentions {
		if m.Word < len(last) {
			x, y := toModel(m.X, m.Y)
			if x >= 0 && x < 1 && y >= 0 && y < 1 {
				g.Points = append(g.Points, Point{Piece: last[m.Word], X: float32(x), Y: float32(y)})
			}
		}
	}
	answer := ""
	if len(q.Answers) > 0 {
		answer = q.Answers[0]
	}
	return teach(v, g, v.Text(answer))
}

// CaptionPrompt asks for a description: `<caption>`.
func CaptionPrompt(v *Vocabulary) Group {
	return Group{Task: Caption, Causal: true, Pieces: []Piece{word(v.Special(CaptionPiece))}}
}

// CaptionExample is a description to be learned.
func CaptionExample(v *Vocabulary, caption string) Group {
	return teach(v, CaptionPrompt(v), v.Text(caption))
}

// MatchPrompt is a text that is placed in the joint space of pictures and texts: `words… <match>`, seen without the
// picture; the last piece answers with the text's vector.
func MatchPrompt(v *Vocabulary, text string) Group {
	ids := v.Text(text)
	g := Group{Task: Match, Causal: true, Blind: true}
	g.Pieces = words(g.Pieces, ids[:min(len(ids), MaxGroup-1)])
	g.Pieces = append(g.Pieces, word(v.Special(MatchPiece)))
	return g
}

// teach appends an answer to a prompt: from the prompt's last piece on, each piece is taught its successor.
func teach(v *Vocabulary, g Group, answer []int32) Group {
	answer = answer[:min(len(answer), MaxGroup-len(g.Pieces))]
	g.Next = make([]int32, len(g.Pieces)+len(answer))
	for i := range g.Next {
		g.Next[i] = -1
	}
	at := len(g.Pieces) - 1
	for i, id := range answer {
		g.Next[at+i] = id
	}
	g.Next[at+len(answer)] = v.Special(EndPiece)
	g.Pieces = words(g.Pieces, answer)
	return g
}
