#!/bin/sh
# Makes the configuration of a web server (nginx takes it) for the site of the environment, and leaves the outputs.
set -eu

conf=$PROTIUM_STATE_DIR/site.conf
link_count=0
{
  echo '# Made by Protium: the next deployment makes it anew.'
  echo 'server {'
  echo "  listen $PORT;"
  echo "  add_header Site-Hash $SITE_HASH;"
  for link in $LINKS; do
    path=${link%%=*} page=${link#*=}
    case " $PAGES " in
      *" $page "*) ;;
      *)
        echo "short_links: $link leads to no page of the environment, which has: $PAGES" >&2
        exit 1
        ;;
    esac
    echo "  location = $path { return 302 /$page.html; }"
    link_count=$((link_count + 1))
  done
  echo '}'
} >"$conf.new"
mv "$conf.new" "$conf"

cat >proton-outputs.json <<END
{"Name": "$NAME", "Port": $PORT, "ShortLinks": $link_count, "ConfigurationHash": "$(sha256sum "$conf" | cut -d ' ' -f 1)"}
END
echo "made the configuration of $NAME with $link_count short links"
