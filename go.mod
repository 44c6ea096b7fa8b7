module fovea

go 1.26.0

require (
	go.yaml.in/yaml/v4 v4.0.0 // indirect
	golang.org/x/image v0.47.0 // indirect
	golang.org/x/sys v0.49.0
	golang.org/x/text v0.44.0 // indirect
)
