// Package filelock keeps two programs from writing the same file at the same time, where the system has locks of files.
package filelock
