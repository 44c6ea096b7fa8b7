package serve

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"fovea"
	"fovea/model"
	"fovea/task"
)

// chat is what clients of language models ask, once the surface has read it: a prompt, pictures, and how to answer.
type chat struct {
	model    string
	prompt   string
	pictures []*picture
	words    int      // at most so many; 0: as many as the model likes
	stop     []string // the answer ends before any of these
	form     *form    // the answer is JSON of this form; nil: plain text
	writing  fovea.Writing
}

// message is what one side says in a conversation.
type message struct {
	role, text string
	images     []string
}

// converse reads a conversation: the question is the last message of the user, and what was said before goes to models that can read
// it. The pictures are those of that message or, if it has none, of the last that had some; a model that reads conversations and
// looks at several pictures gets all of them. A picture that was shown before stands in its place.
func (ch *chat) converse(said []message, card *model.Card) (images []string, asked bool, err error) {
	last, shown, total := -1, -1, 0
	for i, m := range said {
		if total += len(m.images); m.role != "user" {
			continue
		}
		if last = i; len(m.images) > 0 {
			shown = i
		}
	}
	if err := checkCount(total); err != nil || last < 0 {
		return nil, false, err
	}
	ch.prompt = said[last].text
	for i, m := range said[:last+1] {
		role := m.role
		if role == "developer" {
			role = "system"
		}
		var parts []fovea.Part
		if i == shown || role == "user" && card.Talks && card.Together {
			images = append(images, m.images...)
			parts = slices.Repeat([]fovea.Part{{Image: true}}, len(m.images))
		}
		if m.text != "" {
			parts = append(parts, fovea.Part{Text: m.text})
		}
		if i < last && len(parts) > 0 && (role == "system" || role == "user" || role == "assistant") {
			ch.writing.Before = append(ch.writing.Before, fovea.Message{Role: role, Parts: parts})
		}
	}
	return images, true, nil
}

// draw takes over how tokens are drawn, for models that write with a choice. Others have one answer.
func (ch *chat) draw(temperature, topP *float64, seed json.Number) {
	if temperature != nil {
		ch.writing.Temperature = *temperature
	}
	if topP != nil {
		ch.writing.TopP = *topP
	}
	if n, err := seed.Int64(); err == nil {
		ch.writing.Seed = uint64(n)
	}
}

// chatReply is the answer. Tokens are counted in words, of which the model's own are parts.
type chatReply struct {
	text           string
	cut            bool // by chat.words
	prompt, answer int
}

// noPicture answers prompts without a picture: the model has nothing to look at.
const noPicture = "I answer questions about pictures. Please send one with your question."

// describeAll is what several pictures without a question are asked.
const describeAll = "Describe the images."

// maxStops and maxWords bound what clients may set.
const (
	maxStops = 16
	maxWords = 1 << 20
)

// answer answers a chat; say, when not nil, gets the text piece by piece. The pieces make the whole.
func (c *call) answer(ch *chat, say func(piece string) error) (*chatReply, error) {
	c.model = ch.model
	r := &chatReply{prompt: len(task.Split(ch.prompt))}
	m, err := c.s.model(ch.model)
	if err != nil {
		return nil, err
	}
	if say == nil {
		say = func(string) error { return nil }
	}
	if len(ch.pictures) == 0 {
		if ch.form != nil {
			return nil, bad("messages", "an answer in a form needs a picture")
		}
		return r, r.finish(ch, noPicture, &deltas{}, say)
	}
	writes := m.p.Card().Writes
	if m.p.Card().Together && len(ch.pictures) > 1 {
		ch.pictures = []*picture{gather(ch.pictures)}
	}
	if ch.form != nil && len(ch.pictures) > 1 {
		return nil, bad("messages", "an answer in a form is about one picture, and there are %d", len(ch.pictures))
	}
	if ch.form != nil && !writes {
		text, err := c.fill(ch)
		if err != nil {
			return nil, err
		}
		r.text, r.answer = text, len(task.Split(text))
		return r, say(text)
	}
	q := &question{model: ch.model, pictures: ch.pictures, req: fovea.Request{Tasks: task.SetOf(task.Ask), Questions: []string{ch.prompt}}}
	switch {
	case ch.pictures[0].count() > 1:
		if ch.prompt == "" {
			q.req.Questions[0] = describeAll
		}
	case describes(ch.prompt):
		q.req.Tasks, q.req.Questions = task.SetOf(task.Caption), nil
	}
	if writes {
		if q.req.Writing = ch.writing; !m.p.Card().Talks {
			q.req.Writing.Before = nil
		}
		if ch.form != nil {
			q.req.Writing.MaxTokens = ch.words
			if q.req.Writing.Schema, err = c.s.schemas.schema(ch.form); err != nil {
				return nil, err
			}
		}
	}
	d := deltas{verbatim: writes}
	q.step = func(i int, text string) error {
		if i > 0 { // how the answer about the picture before has ended is not known here: the rest comes at once
			return nil
		}
		if !d.verbatim {
			text = tidy(text)
		}
		if ch.form == nil {
			text, _ = ch.limit(numbered(ch, i, text), false)
		}
		if more := d.next(text); more != "" {
			return say(more)
		}
		return nil
	}
	results, errs, err := c.s.ask(c.r.Context(), q)
	if err != nil {
		return nil, err
	}
	var lines []string
	for i, res := range results {
		if errs[i] != nil {
			return nil, errs[i]
		}
		lines = append(lines, numbered(ch, i, said(res)))
	}
	return r, r.finish(ch, strings.Join(lines, "\n"), &d, say)
}

// finish says what has not been said yet.
func (r *chatReply) finish(ch *chat, text string, d *deltas, say func(string) error) error {
	if r.text = text; ch.form == nil {
		r.text, r.cut = ch.limit(text, true)
	}
	r.answer = len(task.Split(r.text))
	if more := d.rest(r.text); more != "" {
		return say(more)
	}
	return nil
}

// numbered puts the picture's number before what is said about it when there are several.
func numbered(ch *chat, i int, text string) string {
	if len(ch.pictures) < 2 {
		return text
	}
	return strconv.Itoa(i+1) + ": " + text
}

// limit cuts a text where the chat wants it to end. Of a text that is still growing, an end that may become a stop is held
// back.
func (ch *chat) limit(text string, whole bool) (_ string, cut bool) {
	for _, s := range ch.stop {
		if before, _, ok := strings.Cut(text, s); ok {
			text, whole = before, true
		}
	}
	if ch.words > 0 {
		end, words, inside := 0, 0, false
		for i, r := range text {
			space := r == ' ' || r == '\n'
			if !space && !inside {
				if words++; words > ch.words {
					return strings.TrimRight(text[:end], " \n"), true
				}
			}
			inside = !space
			end = i + 1
		}
	}
	if !whole {
		text = text[:len(text)-ch.held(text)]
	}
	return text, false
}

// held is how many letters at the text's end are the beginning of a stop.
func (ch *chat) held(text string) (most int) {
	for _, s := range ch.stop {
		for n := min(len(s)-1, len(text)); n > most; n-- {
			if strings.HasSuffix(text, s[:n]) {
				most = n
			}
		}
	}
	return most
}

// describes reports that a prompt asks for a description of the whole picture rather than a question about it.
func describes(prompt string) bool {
	p := strings.ToLower(strings.Join(task.Split(prompt), " "))
	return p == "" || slices.ContainsFunc([]string{
		"describe", "caption", "please describe", "write a caption", "what is in this image", "what is in this picture", "what is in the image", "what is in the picture",
		"what's in this image", "what's in this picture", "what do you see", "what does this image show", "what does this picture show",
	}, func(s string) bool { return strings.HasPrefix(p, strings.Join(task.Split(s), " ")) })
}

// checkStops bounds a list of stops.
func checkStops(list []string) ([]string, error) {
	if len(list) > maxStops {
		return nil, bad("stop", "%d stops, at most %d are taken", len(list), maxStops)
	}
	return slices.DeleteFunc(list, func(s string) bool { return s == "" }), nil
}

// checkWords checks a number of tokens to write.
func checkWords(param string, n *int) (int, error) {
	switch {
	case n == nil:
		return 0, nil
	case *n < 1 || *n > maxWords:
		return 0, bad(param, "%s is %d, want 1 … %d", param, *n, maxWords)
	}
	return *n, nil
}

// inRange checks a number that clients may set and that does not matter here: decoding is greedy.
func inRange(param string, v *float64, low, high float64) error {
	if v != nil && !(*v >= low && *v <= high) {
		return bad(param, "%s is %g, want %g … %g", param, *v, low, high)
	}
	return nil
}

// picturesOf ingests references.
func (c *call) picturesOf(refs []string) (out []*picture, err error) {
	if err := checkCount(len(refs)); err != nil {
		return nil, err
	}
	for _, ref := range refs {
		p, err := c.s.ingest(c.r.Context(), ref)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// post adds a route of a surface that takes JSON.
func (s *Server) post(path string, sf *surface, handle func(c *call, body []byte) error) {
	s.on(http.MethodPost, path, sf, func(c *call) error {
		body, err := c.body()
		if err != nil {
			return err
		}
		return handle(c, body)
	})
}
