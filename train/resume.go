package train

import (
	"encoding/json"
	"path/filepath"

	"fovea/checkpoint"
)

// SavedReplicas is the number of replicas of the run that left the newest readable snapshot in an output folder, 0 without one.
// Replicas are shares of a batch and decide the last digits of its gradient; a run that is resumed on a machine with another
// number of cores must keep them to stay the same run.
func SavedReplicas(out string) int {
	paths, err := (&snapshots{dir: filepath.Join(out, snapshotFolder)}).list()
	if err != nil {
		return 0
	}
	for _, path := range paths {
		f, err := checkpoint.Open(path)
		if err != nil {
			continue
		}
		var saved struct {
			Replicas int `json:"replicas"`
		}
		err = json.Unmarshal([]byte(f.Metadata()["config"]), &saved)
		_ = f.Close() // it was only read
		if err == nil && saved.Replicas > 0 {
			return saved.Replicas
		}
	}
	return 0
}
