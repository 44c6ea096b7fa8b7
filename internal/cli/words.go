package cli

import (
	"slices"
	"strings"

	"fovea"
	"fovea/model"
)

// checkWords compares labels and things that are asked for with those that the model knows. An unknown word that is
// nearly a known one is most likely misspelled; a model without an open vocabulary can do nothing with any unknown one.
func (a *app) checkWords(req *fovea.Request, card model.Card) error {
	for _, l := range []struct {
		flag         string
		words, known []string
	}{{"--labels", req.Labels, card.Classes}, {"--query", req.Query, card.Labels}} {
		for _, w := range l.words {
			if slices.ContainsFunc(l.known, func(k string) bool { return plain(k) == plain(w) }) {
				continue
			}
			if !card.OpenVocabulary {
				return usage(didYouMean(w, l.known, ""), "%s: the model %q does not know %q, and takes no other words than its own", l.flag, card.Name, w)
			}
			if n := nearest(w, l.known); n != "" {
				a.note("%s: the model has not learned %q; did you mean %s?", l.flag, printable(w), n)
			}
		}
	}
	return nil
}

// plain is a label without what names ignore.
func plain(label string) string { return strings.ToLower(strings.ReplaceAll(label, "_", " ")) }
