# Completion of ipwatch for fish. For this shell:     ipwatch completion fish | source
# For every new one:    ipwatch completion fish >~/.config/fish/completions/ipwatch.fish

function __ipwatch_complete
    set -l words (commandline -opc)
    set -l current (string replace -r '^["\']' '' -- (commandline -ct))
    set -l program (string replace -r '^~' -- $HOME $words[1])
    for line in ($program __complete $words[2..-1] ".$current" 2>/dev/null)
        set -l parts (string split -m 1 \t -- $line)
        if test "$parts[1]" = :files
            for path in (__fish_complete_path (string sub -s (math 1 + (string length -- "$parts[2]")) -- "$current"))
                echo "$parts[2]$path"
            end
        else
            echo $line
        end
    end
end

complete -c ipwatch -f -a '(__ipwatch_complete)'
