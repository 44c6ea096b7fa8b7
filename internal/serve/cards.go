package serve

import (
	"net/http"

	"fovea/model"
	"fovea/task"
)

// cardWire says what a model is and can do, for programs that choose among models, as the playground does.
type cardWire struct {
	Name           string        `json:"name"`
	Family         string        `json:"family,omitempty"`
	Parameters     int           `json:"parameters"`
	Tasks          []string      `json:"tasks"` // those of /v1/NAME that it can answer
	Labels         []string      `json:"labels"`
	Classes        []string      `json:"classes"`
	OpenVocabulary bool          `json:"open_vocabulary"`
	Writes         bool          `json:"writes"`   // token by token, with temperature, schema and the like
	Talks          bool          `json:"talks"`    // questions may follow a conversation
	Together       bool          `json:"together"` // a question may be about several pictures
	Skeleton       *skeletonWire `json:"skeleton,omitempty"`
}

type skeletonWire struct {
	Joints []string `json:"joints"`
	Bones  [][2]int `json:"bones"` // pairs of indices of joints
}

// cardTasks are the names of tasks in the order of a card.
var cardTasks = []struct {
	task task.Task
	name string
}{{task.Classify, "classify"}, {task.Detect, "detect"}, {task.Segment, "segment"}, {task.Pose, "pose"}, {task.Ask, "ask"}, {task.Caption, "caption"}, {task.Match, "embed"}}

// cards answers with the cards of all models. A model that has not been loaded makes the request one to repeat.
func (s *Server) cards(c *call) error {
	list := []cardWire{}
	for _, m := range s.models {
		if err := m.loaded(); err != nil {
			return err
		}
		list = append(list, cardOf(m.name, m.p.Card(), m.p.CanExplain()))
	}
	return c.reply(http.StatusOK, map[string]any{"version": s.cfg.Version, "models": list})
}

func cardOf(name string, k model.Card, explains bool) cardWire {
	w := cardWire{Name: name, Family: k.Family, Parameters: k.Parameters, Tasks: []string{}, Labels: append([]string{}, k.Labels...), Classes: append([]string{}, k.Classes...), OpenVocabulary: k.OpenVocabulary, Writes: k.Writes, Talks: k.Talks, Together: k.Together}
	for _, t := range cardTasks {
		if k.Tasks.Has(t.task) {
			w.Tasks = append(w.Tasks, t.name)
		}
	}
	if explains {
		w.Tasks = append(w.Tasks, "explain")
	}
	if k.Skeleton != nil {
		w.Skeleton = &skeletonWire{k.Skeleton.Joints, k.Skeleton.Bones}
	}
	return w
}
