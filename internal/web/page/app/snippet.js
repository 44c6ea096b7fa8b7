// The same questions from programs: curl, Python and Go, each with nothing but what the language brings.

const shell = (s) => (/^[\w./:-]+$/.test(s) ? s : "'" + s.replaceAll("'", "'\\''") + "'");
const lit = (s) => JSON.stringify(s); // a string of Python and of Go

/** what: {origin, file, token (bool), calls: [{task, fields}]}. */
export const snippets = {
  curl({ origin, file, token, calls }) {
    return calls.map(({ task, fields }) => {
      const lines = ["curl -F image=@" + shell(file), ...Object.entries(fields).map(([k, v]) => "-F " + shell(k + "=" + v))];
      if (token) lines.push('-H "Authorization: Bearer $FOVEA_TOKEN"');
      return [...lines, shell(origin + "/v1/" + task)].join(" \\\n  ");
    }).join("\n\n");
  },

  python({ origin, file, token, calls }) {
    const table = calls.map(({ task, fields }) => "    " + lit(task) + ": {" + Object.entries(fields).map(([k, v]) => lit(k) + ": " + lit(v)).join(", ") + "},").join("\n");
    return `import json${token ? "\nimport os" : ""}
import urllib.parse
import urllib.request

with open(${lit(file)}, "rb") as f:
    picture = f.read()
for task, fields in {
${table}
}.items():
    url = ${lit(origin + "/v1/")} + task + "?" + urllib.parse.urlencode(fields)
    request = urllib.request.Request(url, picture, {"Content-Type": "application/octet-stream"})
${token ? '    request.add_header("Authorization", "Bearer " + os.environ["FOVEA_TOKEN"])\n' : ""}    with urllib.request.urlopen(request) as answer:
        print(json.load(answer))
`;
  },

  go({ origin, file, token, calls }) {
    const table = calls.map(({ task, fields }) => "\t\t" + lit(task) + ": {" + Object.entries(fields).map(([k, v]) => lit(k) + ": {" + lit(v) + "}").join(", ") + "},").join("\n");
    return `package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
)

func main() {
	picture, err := os.ReadFile(${lit(file)})
	if err != nil {
		log.Fatal(err)
	}
	for task, fields := range map[string]url.Values{
${table}
	} {
		req, err := http.NewRequest("POST", ${lit(origin + "/v1/")}+task+"?"+fields.Encode(), bytes.NewReader(picture))
		if err != nil {
			log.Fatal(err)
		}
${token ? '\t\treq.Header.Set("Authorization", "Bearer "+os.Getenv("FOVEA_TOKEN"))\n' : ""}		res, err := http.DefaultClient.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		answer, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			log.Fatal(res.Status, " ", string(answer))
		}
		fmt.Println(string(answer))
	}
}
`;
  },
};
