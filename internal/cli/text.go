package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// margin is the width of the column that says what a row is about.
const margin = 10

// title is the first line about a picture: what it is, and what the answer cost.
func (a *app) title(it *item) {
	r, s := it.res, a.outStyle
	name := printable(it.name)
	if it.frame != nil {
		name += " frame " + strconv.Itoa(*it.frame)
	}
	fmt.Fprintf(a.out, "%s  %s\n", s.paint(bold, name), s.paint(dim, fmt.Sprintf("%d×%d · %s · %.0f ms", r.Width, r.Height, printable(r.Model), float64(r.Elapsed.Microseconds())/1000)))
}

// row prints what stands under a heading; nothing for empty text. columns, when not 0, is the width at which text wraps.
func (a *app) row(heading, text string) {
	if text == "" {
		return
	}
	fmt.Fprintf(a.out, "  %s %s\n", a.outStyle.paint(cyan, pad(heading, margin)), text)
}

// wrap breaks plain text between words into lines of at most so many columns.
func wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > columns {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + w)
	}
	return append(lines, line)
}

// paragraph is a row of plain text that wraps at the terminal's edge.
func (a *app) paragraph(heading, text string) {
	for i, line := range wrap(text, max(a.outStyle.width-margin-4, 20)) {
		if i > 0 {
			heading = ""
		}
		a.row(heading, line)
	}
}

// labelWidth is the column that labels of objects and classes need.
func labelWidth(labels []string) int {
	w := 8
	for _, l := range labels {
		w = max(w, utf8.RuneCountInString(l))
	}
	return min(w, 36)
}

// barColumns is the width of the bars that show scores.
const barColumns = 12

// printObjects is a table of objects: what, how sure, where, and how large the mask is.
func (a *app) printObjects(it *item) {
	r := it.res
	if r.Objects == nil {
		return
	}
	if len(r.Objects) == 0 {
		a.row("objects", a.outStyle.paint(dim, "none found"))
		return
	}
	var labels []string
	for _, o := range r.Objects {
		labels = append(labels, printable(o.Label))
	}
	w, heading := labelWidth(labels), "objects"
	for i, o := range r.Objects {
		line := a.dot(it, o.Label) + pad(labels[i], w) + a.meter(o.Score) + fmt.Sprintf("  %5.0f,%-5.0f %5.0f×%-5.0f", o.Box.X0, o.Box.Y0, o.Box.W(), o.Box.H())
		if o.Mask != nil {
			line += a.outStyle.paint(dim, fmt.Sprintf(" %4.1f%% of the picture", 100*o.Mask.Area()/float64(max(r.Width*r.Height, 1))))
		}
		a.row(heading, strings.TrimRight(line, " "))
		heading = ""
	}
}

// printSpots lists places.
func (a *app) printSpots(it *item) {
	r := it.res
	if r.Spots == nil {
		return
	}
	if len(r.Spots) == 0 {
		a.row("points", a.outStyle.paint(dim, "none found"))
		return
	}
	var labels []string
	for _, s := range r.Spots {
		labels = append(labels, printable(s.Label))
	}
	w, heading := labelWidth(labels), "points"
	for i, s := range r.Spots {
		a.row(heading, strings.TrimRight(a.dot(it, s.Label)+pad(labels[i], w)+a.meter(s.Score)+fmt.Sprintf("  %5.0f,%-5.0f", s.X, s.Y), " "))
		heading = ""
	}
}

// meter shows a score as a number and a bar.
func (a *app) meter(score float64) string {
	b := bar(score, barColumns)
	return " " + percent(score) + " " + a.outStyle.paint(shade(score), b) + strings.Repeat(" ", barColumns-utf8.RuneCountInString(b))
}

// shade colours scores: doubtful yellow, sure green.
func shade(score float64) string {
	if score < .5 {
		return "33;"
	}
	return "32;"
}

// certain is the score from which on a joint counts as found in the summary.
const certain = .2

// printPeople is a line for each person: how sure, where, and the joints that were found.
func (a *app) printPeople(it *item) {
	r := it.res
	if r.People == nil || len(r.People) == 0 && r.Objects != nil {
		return
	}
	if len(r.People) == 0 {
		a.row("people", a.outStyle.paint(dim, "none found"))
	}
	heading := "people"
	for _, p := range r.People {
		seen := 0
		for _, j := range p.Joints {
			if j.Score >= certain {
				seen++
			}
		}
		a.row(heading, a.dot(it, "person")+fmt.Sprintf("person  %s  %5.0f,%-5.0f %5.0f×%-5.0f %s", a.meter(p.Score), p.Box.X0, p.Box.Y0, p.Box.W(), p.Box.H(),
			a.outStyle.paint(dim, fmt.Sprintf("%d of %d joints", seen, len(p.Joints)))))
		heading = ""
	}
}
